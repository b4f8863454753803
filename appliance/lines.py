"""One line of the log: what a record says, as JSON or as text, without what an error or another library may quote."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from appliance.request import current
from appliance.trail import trail, unworded

OURS = ("appliance",)
"""Loggers of our own, whose lines are known to hold nobody's words."""
_LONGEST = 4000
"""Characters of one message; what is longer is cut, and says so."""
_PRIORITY = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}
"""What syslog and systemd call the levels."""


def foreign(name: str) -> bool:
    """True for a logger of another library."""
    return name.partition(".")[0] not in OURS


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
        message = message_of(record)
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
            # A board without a battery for its clock starts in 1970 and jumps: this one never does. One for the record,
            # which is written to the stream and kept beside it.
            "mono": record.__dict__.setdefault("mono", round(time.monotonic(), 3)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": said,
            "request_id": current(),
            "thread": record.threadName,
            "trail": behind,
        }
        return {name: value for name, value in made.items() if value not in ("", None)}


def message_of(record: logging.LogRecord) -> str:
    """What a record says. A line that cannot be made is its author's mistake, and no reason for the caller to fail."""
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - whatever an argument raises when it is written
        return f"{record.msg if isinstance(record.msg, str) else type(record.msg).__name__} (arguments that do not fit)"
