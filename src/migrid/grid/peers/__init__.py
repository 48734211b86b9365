"""The way from one grid to another: SSH to a gate that knows only the verbs of a move."""
