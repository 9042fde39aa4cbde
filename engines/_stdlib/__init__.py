"""Engines of the standard library."""
