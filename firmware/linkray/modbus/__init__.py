"""Modbus, sans-I/O: frames on the wire and few requests. Knows no meter."""
