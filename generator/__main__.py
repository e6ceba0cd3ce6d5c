"""Lets `python -m generator` stand in for the console script."""

from __future__ import annotations

from generator.cli import main

if __name__ == "__main__":
    main()
