"""Scenarios S1 to S7: model, objects, running them, and what telemetry must have recorded."""
