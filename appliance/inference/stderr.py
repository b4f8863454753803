"""Catches what a C++ library writes to stderr while it starts: the only place where it says why it chose the CPU."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_ONE = threading.Lock()
_STDERR = 2
_COLOUR = "\x1b[;0123456789m \n"


@dataclass(slots=True)
class Noise:
    """What was caught, once the block has ended."""

    text: str = ""
    """The lines that hold the mark."""


@contextmanager
def captured(mark: str) -> Iterator[Noise]:
    """Keep the lines holding `mark` that anyone writes to file descriptor 2 during the block.

    The whole process is diverted, so only for the moments of a library's start; other lines are written out at the end.
    One block at a time; where stderr is closed nothing is caught.
    """
    noise = Noise()
    with _ONE, tempfile.TemporaryFile() as file:
        try:
            kept = os.dup(_STDERR)
        except OSError:
            yield noise
            return
        try:
            os.dup2(file.fileno(), _STDERR)
            yield noise
        finally:
            os.dup2(kept, _STDERR)
            os.close(kept)
            file.seek(0)
            for line in file.read().decode("utf-8", "replace").splitlines(keepends=True):
                if mark in line:
                    noise.text += line
                elif line.strip(_COLOUR):
                    os.write(_STDERR, line.encode("utf-8"))
