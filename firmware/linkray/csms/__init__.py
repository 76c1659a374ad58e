"""The uplinks: one to the CSMS for each charger, what waits for it, what it wishes."""
