"""What chargers fetch from LinkRay and leave with it: firmware and diagnostics, by token."""
