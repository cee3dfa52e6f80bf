"""Istio at work: validation of its configuration, rejected configuration, revisions, what an uninstall leaves."""
