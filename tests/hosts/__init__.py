"""Disposable Docker hosts for the tests: systemd, sshd and a real dockerd in a container."""
