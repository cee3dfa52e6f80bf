"""What runs on hosts, and nothing else: all of it is held to the Python of the oldest host, 3.9."""
