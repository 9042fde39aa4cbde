"""The instruments: the clock, batches of tasks, and what the machine reports meanwhile."""
