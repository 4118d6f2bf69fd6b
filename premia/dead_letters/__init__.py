"""Events that could not be used: read, told of, exported, redriven."""
