"""What preflight reads of one host, without changing anything."""
