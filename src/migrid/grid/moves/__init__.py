"""A move: its phases, its journal, its plan, and what carries it out."""
