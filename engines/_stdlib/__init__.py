"""Engines that use only the standard library."""
