"""Images in a host's containerd: what is there, importing, and what a power cut has damaged."""
