"""The demo: a whole sample programme settled on this machine, by the same commands and calls that a programme uses."""
