"""What tasks compute, a module each."""
