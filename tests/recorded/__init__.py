"""Daemon.json files as people have them, kept as data with what must become of each."""
