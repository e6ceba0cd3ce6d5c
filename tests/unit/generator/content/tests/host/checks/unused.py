"""The check unused."""
