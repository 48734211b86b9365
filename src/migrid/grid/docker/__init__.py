"""A Docker Engine behind the seam of engine.Engine, through the command docker alone."""
