"""The command line of Premia, and the local stack that it starts."""
