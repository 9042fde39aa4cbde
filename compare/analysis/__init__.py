"""Computes the analysis, from which every report is made, from the records."""
