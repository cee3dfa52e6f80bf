"""The record of a run: time of phases, roles, tasks, hosts, and SSH executions."""
