"""The checks: `check(host, control, artifact) -> Verdict`, one module per name that a control may give."""
