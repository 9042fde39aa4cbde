"""Runs a plan and stores the records."""
