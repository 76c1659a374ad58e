"""The site meter: its file, its readings, its health."""
