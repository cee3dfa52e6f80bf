"""Compare one host with its desired state, and bring it there."""
