"""Sales from files, made ready to be published."""
