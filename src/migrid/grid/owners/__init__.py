"""What the owner of an application may ask of a grid, with a key of their own: to move what is theirs, and no more."""
