"""The rules of payout: pure calculations, no clock, no I/O."""
