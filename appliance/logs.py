"""How the log is written: one line for each thing that happened, with its request and without a customer's words.

Lines are JSON where a program reads them and text where a person does. Three nets keep words out: our own code logs
none, an error is written as its trail and never with its message, and what other libraries say is redacted and kept
above `debug`, where they print what they parse. A message that comes again and again is counted instead of written.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from appliance.lines import Lines
from appliance.scarce import Limit

log = logging.getLogger(__name__)

LEVELS = ("debug", "info", "warning", "error")
"""What may be set."""
KEPT_LINES = 500
"""Last lines that the process remembers, for a support bundle where the journal cannot be read."""


def in_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """True when systemd reads `stream`: it names the device and inode of the one it gave us."""
    named = environ.get("JOURNAL_STREAM", "")
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return named == f"{found.st_dev}:{found.st_ino}"


class _Quiet(logging.StreamHandler[TextIO]):
    """Writes to the stream; what cannot be written is dropped: Python would print its arguments instead."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Nothing: there is nowhere left to say it."""


class _Memory(logging.Handler):
    """Keeps the last lines as JSON."""

    def __init__(self, lines: Lines) -> None:
        super().__init__()
        self._lines = lines
        self.kept: deque[dict[str, Any]] = deque(maxlen=KEPT_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append(self._lines.fields(record, *self._lines.said(record)))


class Log:
    """The process's log: where it goes, how loud it is, and its last lines. Thread-safe."""

    def __init__(
        self,
        level: str,
        stream: TextIO,
        *,
        form: str = "auto",
        environ: Mapping[str, str],
        scrub: Callable[[str], str] = str,
    ) -> None:
        """Write what is at least `level` to `stream`; `form` is json, text, or auto: json in systemd's journal."""
        journal = in_journal(stream, environ)
        self.as_json = journal if form == "auto" else form == "json"
        self._usual = self._level = level
        self._until: float | None = None
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()
        self._taken = False
        self._stream = _Quiet(stream)
        self._stream.setFormatter(Lines(as_json=self.as_json, journal=journal, scrub=scrub))
        self._memory = _Memory(Lines(as_json=True, scrub=scrub))
        self._handler = _Both(self._stream, self._memory)
        self._limit = Limit()
        self._handler.addFilter(self._limit)

    def take_over(self) -> None:
        """Become the one handler of this process, and take Python's warnings, too."""
        root = logging.getLogger()
        for handler in root.handlers[:]:
            root.removeHandler(handler)
        root.addHandler(self._handler)
        root.setLevel(self._level.upper())
        self._taken = True
        logging.captureWarnings(True)

    def louder(self, level: str, seconds: float) -> None:
        """Log from `level` on; after `seconds` from the usual level again: nobody comes by to turn it down."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._timer, self._until, self._level = None, None, level
            if self._taken:
                logging.getLogger().setLevel(level.upper())
            if level == self._usual:
                return
            log.info("log level: %s for %.0f s", level, seconds)
            self._until = time.monotonic() + seconds
            self._timer = threading.Timer(seconds, self._back)
            self._timer.daemon = True
            self._timer.start()

    def state(self) -> dict[str, object]:
        """Level now, level by the settings, seconds until that is back, and how many lines were left out so far."""
        with self._lock:
            left = None if self._until is None else max(0.0, round(self._until - time.monotonic(), 1))
            level = self._level
        return {"level": level, "usual": self._usual, "returns_in_s": left, "left_out": self._limit.left_out}

    def lines(self) -> list[dict[str, Any]]:
        """The last lines, oldest first."""
        return list(self._memory.kept)

    def close(self) -> None:
        """Stop waiting to turn it down."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()

    def _back(self) -> None:
        self.louder(self._usual, 0)
        log.info("log level: %s again", self._usual)


class _Both(logging.Handler):
    """One limit in front of stream and memory."""

    def __init__(self, *handlers: logging.Handler) -> None:
        super().__init__()
        self._handlers = handlers

    def emit(self, record: logging.LogRecord) -> None:
        for handler in self._handlers:
            handler.handle(record)
