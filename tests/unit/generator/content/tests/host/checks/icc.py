"""The check icc."""
