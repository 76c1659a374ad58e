"""What was charged and measured, as people read it later (records.md)."""
