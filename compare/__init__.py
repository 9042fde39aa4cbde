"""Plans a comparison, measures it, computes the estimates and writes the report."""
