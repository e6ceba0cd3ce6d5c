"""The check daemon_option."""
