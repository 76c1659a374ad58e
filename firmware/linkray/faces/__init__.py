"""The second process's half of the house: pages and API on the desk's client."""
