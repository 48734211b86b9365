"""The page of an application from which its owner moves it.

It works without scripts; with them, names are checked while they are typed and a move is followed live. One process
serves it, with several threads: plans that wait for their confirmation, and failed logins, are in its memory.
"""
