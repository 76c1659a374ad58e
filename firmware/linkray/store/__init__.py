"""The disk: one writer, numbered migrations; what is committed survives."""
