"""The Kubernetes API: one client, objects, server-side apply, waiting."""
