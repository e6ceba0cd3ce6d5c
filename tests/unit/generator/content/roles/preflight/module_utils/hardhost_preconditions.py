"""A registry as the generator reads it: without importing."""

raise ImportError("the generator must not import what runs on hosts")

PRECONDITIONS = {"bridge_netfilter": None, "local_log_driver": None}
