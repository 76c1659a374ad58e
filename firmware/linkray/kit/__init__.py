"""Tools that know nothing of chargers: cores and their driver, cells, supervision, clock, log."""
