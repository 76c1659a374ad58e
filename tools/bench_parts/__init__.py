"""What `tools/bench` measures, one file a part; each has `measure()` giving figures by name."""
