"""Proof bundles: what a statement, a lot or a payout rests on, in one file that anybody can keep and check."""
