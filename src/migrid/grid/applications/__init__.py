"""The applications of one grid, and what their operator does with them."""
