"""Return a host to its state before the install."""
