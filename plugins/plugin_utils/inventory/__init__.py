"""The inventory: reading it, its files, and the rules that it must keep."""
