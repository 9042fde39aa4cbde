"""Makes a plan from the options."""
