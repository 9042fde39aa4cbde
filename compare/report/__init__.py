"""Writes the analysis as text and pictures."""
