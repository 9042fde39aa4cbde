"""One value a block: what the records of a run say about each planned case."""
