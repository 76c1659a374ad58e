"""LinkRay: one box between the chargers of a site and the cloud (firmware/README.md)."""

__version__ = "0.1.0"
