"""Preflight: judging what was found on hosts."""
