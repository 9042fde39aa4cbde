"""The results of a run on disk: the plan, the measurements, and the folder that contains them."""
