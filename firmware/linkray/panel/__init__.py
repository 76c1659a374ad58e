"""The LED and the reset button."""
