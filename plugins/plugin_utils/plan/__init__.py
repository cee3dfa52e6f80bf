"""What the next run would do: noted by its own tasks in check mode, shown for a person, written for a program."""
