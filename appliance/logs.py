"""How the log is written: one line for each thing that happened, with its request and without a customer's words.

Lines are JSON where a program reads them and text where a person does. Three nets keep words out: our own code logs
none, an error is written as its trail and never with its message, and what other libraries say is redacted and kept
above `debug`, where they print what they parse. A message that comes again and again is counted instead of written.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, TextIO

from appliance.request import current
from appliance.trail import trail, unworded

log = logging.getLogger(__name__)

LEVELS = ("debug", "info", "warning", "error")
"""What may be set."""
OURS = ("appliance",)
"""Loggers of our own, whose lines are known to hold nobody's words."""
KEPT_LINES = 500
"""Last lines that the process remembers, for a support bundle where the journal cannot be read."""
_LONGEST = 4000
"""Characters of one message; what is longer is cut, and says so."""
WINDOW_S = 60.0
"""Seconds within which messages of one kind are counted."""
MOST_ALIKE, MOST_ALIKE_DEBUG = 30, 600
"""Messages of one kind that are written within WINDOW_S; whoever asked for `debug` wants to see more."""
MOST = 3000
"""Lines of all kinds within WINDOW_S: the flash memory below has to last for years."""
_KINDS = 256
"""Kinds that are counted at once."""
_PRIORITY = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}
"""What syslog and systemd call the levels."""


def foreign(name: str) -> bool:
    """True for a logger of another library."""
    return name.partition(".")[0] not in OURS


def in_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """True when systemd reads `stream`: it names the device and inode of the one it gave us."""
    named = environ.get("JOURNAL_STREAM", "")
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return named == f"{found.st_dev}:{found.st_ino}"


class Lines(logging.Formatter):
    """Writes a record as JSON or as text; in the journal with its priority in front, which systemd takes off again."""

    def __init__(self, *, as_json: bool, journal: bool = False, scrub: Callable[[str], str] = str) -> None:
        """`scrub` masks what is personal in the messages of other libraries."""
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")
        self._as_json, self._journal, self._scrub = as_json, journal, scrub

    def format(self, record: logging.LogRecord) -> str:
        """The record's line, or its lines of text."""
        said, behind = self.said(record)
        if self._as_json:
            text = json.dumps(self.fields(record, said, behind), ensure_ascii=False, separators=(",", ":"))
        else:
            marked = f" [{current()}]" if current() else ""
            stamp = self.formatTime(record)
            text = f"{stamp} {record.levelname} {record.name} {said}{marked}" + (f"\n{behind}" if behind else "")
        if self._journal:
            before = f"<{_PRIORITY.get(record.levelno, 6)}>"
            text = before + text.replace("\n", f"\n{before}")
        return text

    def said(self, record: logging.LogRecord) -> tuple[str, str]:
        """The message, and the trail of the error behind it; neither holds what the error says."""
        error = record.exc_info[1] if record.exc_info else None
        message = _message(record)
        if error is not None:
            message = unworded(message, error)
        if foreign(record.name):
            message = self._scrub(message)
        if len(message) > _LONGEST:
            message = f"{message[:_LONGEST]}... ({len(message)} characters)"
        # A file name that is no UTF-8 comes as half characters, which no stream and no answer can carry.
        message = message.encode("utf-8", "backslashreplace").decode("utf-8")
        return message, trail(error) if error is not None else ""

    def fields(self, record: logging.LogRecord, said: str, behind: str) -> dict[str, Any]:
        """The line's fields; those that say nothing are left out."""
        at = datetime.fromtimestamp(record.created, timezone.utc)
        made = {
            "ts": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            # A board without a battery for its clock starts in 1970 and jumps: this one never does.
            "mono": round(time.monotonic(), 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": said,
            "request_id": current(),
            "thread": record.threadName,
            "trail": behind,
        }
        return {name: value for name, value in made.items() if value not in ("", None)}


def _message(record: logging.LogRecord) -> str:
    """What a record says. A line that cannot be made is its author's mistake, and no reason for the caller to fail."""
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - whatever an argument raises when it is written
        return f"{record.msg if isinstance(record.msg, str) else type(record.msg).__name__} (arguments that do not fit)"


@dataclass(slots=True)
class _Count:
    """Messages of one kind in the present window."""

    began: float
    """When the window began."""
    written: int = 0
    """How many were written."""
    left_out: int = 0
    """How many were not."""


class Limit(logging.Filter):
    """Passes what is worth a line: the first messages of a kind in a minute; of the others their number, later."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._kinds: OrderedDict[tuple[str, int, str], _Count] = OrderedDict()
        self._all = _Count(clock())
        self.left_out = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written; it is told how many of its kind were not before it."""
        if foreign(record.name) and record.levelno < logging.INFO:
            return False
        now = self._clock()
        # By what the author wrote, not by what it became: `about` where one template says many things.
        about = getattr(record, "about", record.msg)
        key = (record.name, record.levelno, about[:200] if isinstance(about, str) else type(about).__name__)
        most = MOST_ALIKE_DEBUG if record.levelno <= logging.DEBUG else MOST_ALIKE
        with self._lock:
            count = self._kinds.setdefault(key, _Count(now))
            self._kinds.move_to_end(key)
            if len(self._kinds) > _KINDS:
                self._kinds.popitem(last=False)
            before = _renewed(count, now)
            _renewed(self._all, now)
            if count.written >= most or self._all.written >= MOST:
                count.left_out += 1
                self.left_out += 1
                return False
            count.written += 1
            self._all.written += 1
        if before:
            record.msg = f"{_message(record)} (此前省略同类消息 / more like it were left out: {before})"
            record.args = ()
        return True


def _renewed(count: _Count, now: float) -> int:
    """Begin a new window when the old one is over; how many were left out in the old one."""
    if now - count.began < WINDOW_S:
        return 0
    left, count.began, count.written, count.left_out = count.left_out, now, 0, 0
    return left


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
