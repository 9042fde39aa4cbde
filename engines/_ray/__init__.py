"""The Ray adapter."""
