"""The ledger in formats of others: a journal for Beancount, rows for spreadsheets, leaves for programs."""
