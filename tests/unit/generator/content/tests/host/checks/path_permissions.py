"""The check path_permissions."""
