"""Power written down over time, as `appliance power --record` does, and read back: a table that any program can read.

A CSV file: a first line of comment that says what was measured, a line of names, then a line for each reading with the
seconds since the beginning, the power of all that counts, that of each rail, and the hottest place. An empty field was
not read.
"""

from __future__ import annotations

import csv
import errno
import io
import math
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import InvalidInput

SECONDS, WATTS, HOTTEST = "seconds", "watts", "hottest_c"
_OWN = (SECONDS, WATTS, HOTTEST)
LONGEST_GAP_S = 2.0
"""Readings that lie further apart are not joined: nobody knows what was between them."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read at one moment."""

    seconds: float
    """Since the beginning."""
    watts: float | None
    """Power of all that counts; None where it was not read."""
    rails: dict[str, float]
    """Power by rail; one that was not read is missing."""
    hottest_c: float | None
    """The hottest place; None where none was read."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Readings in the order of time."""

    about: str
    """What was measured, where and in which power mode, on one line."""
    readings: tuple[Reading, ...]
    """The readings."""

    @property
    def joules(self) -> float:
        """Energy of the time that is covered, by trapezoids between neighbouring readings."""
        return sum(
            (later.seconds - sooner.seconds) * (sooner.watts + later.watts) / 2
            for sooner, later in zip(self.readings, self.readings[1:], strict=False)
            if joined(sooner, later) and sooner.watts is not None and later.watts is not None
        )

    @property
    def covered_s(self) -> float:
        """Seconds whose power is known."""
        return sum(
            later.seconds - sooner.seconds
            for sooner, later in zip(self.readings, self.readings[1:], strict=False)
            if joined(sooner, later)
        )


def joined(sooner: Reading, later: Reading) -> bool:
    """Whether the power between two neighbours is known."""
    near = 0 < later.seconds - sooner.seconds <= LONGEST_GAP_S
    return near and sooner.watts is not None and later.watts is not None


class Writer:
    """A CSV file that is whole after every reading: what is written stays, however the recording ends."""

    def __init__(self, path: Path, about: str, rails: Sequence[str]) -> None:
        """Begin `path` anew, for readings of these rails. Raises OSError where it cannot be written."""
        self._rails, self._whole = tuple(rails), 0
        self._file = path.open("wb", buffering=0)
        try:
            self._line(f"# {' '.join(about.split())}\n")
            self._row([SECONDS, WATTS, *self._rails, HOTTEST])
        except OSError:
            self._file.close()
            raise

    def add(self, reading: Reading) -> None:
        """Append a reading. Raises OSError, and leaves the readings before it whole."""
        values = [reading.watts, *(reading.rails.get(rail) for rail in self._rails), reading.hottest_c]
        self._row([f"{reading.seconds:.3f}", *("" if value is None else f"{value:.3f}" for value in values)])

    def close(self) -> None:
        """Raises OSError."""
        self._file.close()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _row(self, fields: Sequence[str]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(fields)
        self._line(text.getvalue())

    def _line(self, line: str) -> None:
        told = line.encode()
        try:
            # Without a buffer, so that a disk that fills up is told here and takes no half of a line with it.
            if self._file.write(told) != len(told):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            with suppress(OSError):
                self._file.truncate(self._whole)
            raise
        self._whole += len(told)


def write(recording: Recording, path: Path) -> None:
    """Write `recording` as CSV. Raises OSError."""
    rails = list(dict.fromkeys(rail for reading in recording.readings for rail in reading.rails))
    with Writer(path, recording.about, rails) as writer:
        for reading in recording.readings:
            writer.add(reading)


def read(path: Path) -> Recording:
    """The recording in the CSV file `path`. Raises InvalidInput naming the line that is none."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"expected a recording, got {path}: {error}") from error
    about = [line.removeprefix("#").strip() for line in lines if line.startswith("#")]
    rows = [(number, line) for number, line in enumerate(lines, 1) if line and not line.startswith("#")]
    names = next(csv.reader([rows[0][1]])) if rows else []
    if names[:2] != [SECONDS, WATTS]:
        raise InvalidInput(f"{path}: expected the columns {SECONDS},{WATTS},..., got {','.join(names)[:80]!r}")
    readings: list[Reading] = []
    for number, line in rows[1:]:
        readings.append(_reading(names, next(csv.reader([line])), f"{path}:{number}"))
        if len(readings) > 1 and readings[-1].seconds < readings[-2].seconds:
            raise InvalidInput(f"{path}:{number}: expected seconds in order, got {readings[-1].seconds}")
    return Recording(about[0] if about else "", tuple(readings))


def _reading(names: Sequence[str], fields: Sequence[str], where: str) -> Reading:
    if len(fields) != len(names):
        raise InvalidInput(f"{where}: expected {len(names)} fields, got {len(fields)}")
    values = {name: _number(field, where) for name, field in zip(names, fields, strict=True)}
    seconds = values[SECONDS]
    if seconds is None:
        raise InvalidInput(f"{where}: expected seconds, got none")
    rails = {name: value for name, value in values.items() if name not in _OWN and value is not None}
    return Reading(seconds, values[WATTS], rails, values.get(HOTTEST))


def _number(field: str, where: str) -> float | None:
    if not field:
        return None
    try:
        value = float(field)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InvalidInput(f"{where}: expected a number, got {field[:40]!r}")
    return value
