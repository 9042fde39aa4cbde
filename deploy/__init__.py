"""Starts clusters of several hosts and checks that they are up."""
