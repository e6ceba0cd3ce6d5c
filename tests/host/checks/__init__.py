"""The checks: `check(host, control, artifact) -> Verdict`, one module per name."""
