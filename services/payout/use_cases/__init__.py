"""What payout does, one operation a file. Each receives an open connection, inside the caller's SQL transaction."""
