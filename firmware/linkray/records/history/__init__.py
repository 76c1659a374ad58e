"""The site's past, minute by minute (metering.md, History)."""
