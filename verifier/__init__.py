"""Checks what Premia's ledger put on record, without trusting Premia.

Goal: whoever was paid, pays, gives or audits can find out on a machine of their own whether a statement, a lot, a payout, a
checkpoint or the whole log is what it claims to be. Nothing here asks a service or a database, and nothing here is used by the
services that made what is checked.
Method: only Python's own library and `cryptography` (for Ed25519). Copy this folder, read it, run `python -m verifier --help`.
To read it, take the modules in this order: `deviation`, `strict`, `note`, `checkpoint`, `merkle` (what a log proves); `leaf`,
`bundle`, `statement`, `lot`, `payout` (what Premia says with it); `tiles`, `log`, `audit` (the whole log); `command_line`.
Source: RFC 6962; c2sp.org/signed-note, tlog-checkpoint, tlog-cosignature and tlog-tiles; docs/verify.md says what it means.
"""
