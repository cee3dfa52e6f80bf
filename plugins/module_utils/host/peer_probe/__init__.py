"""Every host to every other host in both families, all at the same time."""
