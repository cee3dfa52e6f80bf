"""SSH from the controller: host keys."""
