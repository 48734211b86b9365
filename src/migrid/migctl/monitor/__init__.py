"""The monitor of a move: MIGCTL's page about this one move, at the target grid, while the application is stopped.

It knows no more than the directory of the move, which MigHelper writes to. It asks neither an engine nor a grid.
"""
