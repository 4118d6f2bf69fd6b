"""One operation a file, each with its SQL; all of them receive an open connection."""
