"""The hardware as a handful of small protocols with two backends, chosen by a board file."""
