"""Files of charging sessions: CSV, NEM12 and charge data records (records.md, Transactions)."""
