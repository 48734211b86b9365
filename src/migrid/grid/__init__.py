"""Grids and applications: a container engine, the Compose projects that it runs, and their moves to other grids."""
