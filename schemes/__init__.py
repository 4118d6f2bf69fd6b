"""The premium schemes that ship with Premia, one version a file. All must be verified against the contract that applies."""
