"""Charge data records on their way to whoever bills (records.md, Transactions)."""
