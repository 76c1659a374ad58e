"""The chargers: one link each, its session, its measured currents, its profiles."""
