"""Which lines of the log are worth writing: of what comes again and again the first ones, and later how many more."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from appliance.lines import foreign, message_of

WINDOW_S = 60.0
"""Seconds within which messages of one kind are counted."""
MOST_ALIKE, MOST_ALIKE_DEBUG = 30, 600
"""Messages of one kind that are written within WINDOW_S; whoever asked for `debug` wants to see more."""
MOST = 3000
"""Lines of all kinds within WINDOW_S: the flash memory below has to last for years."""
_KINDS = 256
"""Kinds that are counted at once."""


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
            record.msg = f"{message_of(record)} (此前省略同类消息 / more like it were left out: {before})"
            record.args = ()
        return True


def _renewed(count: _Count, now: float) -> int:
    """Begin a new window when the old one is over; how many were left out in the old one."""
    if now - count.began < WINDOW_S:
        return 0
    left, count.began, count.written, count.left_out = count.left_out, now, 0, 0
    return left
