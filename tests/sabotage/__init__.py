"""The states in which checks must fail."""
