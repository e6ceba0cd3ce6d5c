"""Standard output and standard error for commands that end well whatever becomes of these two."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_NAMES = {"stdout": "standard output", "stderr": "standard error"}


class _Output(io.FileIO):
    """A reader that has seen enough is no error; any other one is raised once, with a name."""

    def __init__(self, descriptor: int, label: str) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._label = label
        self._broken = False

    def write(self, data: ReadableBuffer, /) -> int:
        if not self._broken:
            try:
                return super().write(data)
            except OSError as error:
                self._broken = True
                if error.errno != errno.EPIPE:
                    raise OSError(error.errno, error.strerror, self._label) from None
        return memoryview(data).nbytes  # nobody reads it any more; the command goes on to its end


def settle() -> None:
    """Put such streams into the place of Python's own."""
    for name, label in _NAMES.items():
        stream = getattr(sys, name)
        if stream is None:  # was closed before we were started
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        elif isinstance(stream, io.TextIOWrapper):
            setattr(sys, name, _in_place_of(stream, label))


def _in_place_of(stream: io.TextIOWrapper, label: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(_Output(stream.fileno(), label)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
