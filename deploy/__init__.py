"""What starts clusters of several hosts, and what tells that they are up."""
