"""The two sides of a move, on the host where an engine is."""
