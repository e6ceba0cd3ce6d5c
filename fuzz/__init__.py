"""Hostile files for the generator, found by coverage: `make fuzz`."""
