"""Factory reset."""
