"""The lab on this machine: hosts as user-mode kernels."""
