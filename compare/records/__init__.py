"""What a run leaves: the plan, the measurements, and the folder that holds them."""
