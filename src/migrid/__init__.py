"""A Minimum intrusion Grid site, and grids whose applications move themselves."""
