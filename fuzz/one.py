"""One target under atheris: `python -m fuzz.one TARGET [libFuzzer options] CORPUS...`."""

from __future__ import annotations

import sys

import atheris

HOST_MODULES = ["hardhost_state", "hardhost_options", "hardhost_redaction"]
with atheris.instrument_imports(include=["generator", *HOST_MODULES]):
    from fuzz.targets import TARGETS


def main() -> None:
    target = TARGETS[sys.argv[1]]
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
