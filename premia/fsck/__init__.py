"""Checkers: they recompute what services keep, from the rawest rows there are, and share no code with the writers."""
