"""One value per block: the results of each planned case, from the records of a run."""
