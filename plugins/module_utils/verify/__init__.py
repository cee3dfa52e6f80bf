"""Verification of a cluster, per IP family: observe, plan probes, run them, report."""
