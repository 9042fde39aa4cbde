"""The instruments: the clock, batches of tasks, and readings of the machine."""
