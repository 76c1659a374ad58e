"""Tools around the firmware: the simulated world, runs, benches."""
