"""What TensorRT says. It returns None or False and tells its logger why, so the logger's text belongs in every error.

TensorRT keeps one logger for a whole process and ignores a second with a warning: hence the one of each library here,
made when it is first needed and kept until the process ends, as the objects made with it demand.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import Any

log = logging.getLogger("appliance.tensorrt")

KEPT = 200
"""Messages that are remembered."""
LONGEST = 1200
"""Most characters of them in an error."""
_LEVELS = {"INTERNAL_ERROR": logging.ERROR, "ERROR": logging.ERROR, "WARNING": logging.WARNING, "INFO": logging.DEBUG}
_HARMLESS = ("Thread context has not been set",)


class Journal:
    """The latest messages. Thread-safe: a builder speaks from threads of its own."""

    def __init__(self) -> None:
        self._kept: deque[tuple[int, int, str]] = deque(maxlen=KEPT)
        self._count = 0
        self._lock = threading.RLock()  # the collector may end an object that speaks while it is held

    def take(self, severity: str, text: str) -> None:
        """Remember one message and pass it to the log."""
        level = _LEVELS.get(severity, logging.DEBUG)
        if any(part in text for part in _HARMLESS):
            level = logging.DEBUG
        log.log(level, "%s", text)
        with self._lock:
            self._count += 1
            self._kept.append((self._count, level, " ".join(text.split())))

    @property
    def position(self) -> int:
        """How many messages there have been; given to `since` it names those that came later."""
        with self._lock:
            return self._count

    def since(self, position: int) -> str:
        """The worst messages after `position`, errors before warnings; what to say when there is none."""
        with self._lock:
            later = [(level, text) for count, level, text in self._kept if count > position and level > logging.DEBUG]
        if not later:
            return "it gave no reason"
        worst = max(level for level, _ in later)
        return "; ".join(dict.fromkeys(text for level, text in later if level == worst and text))[:LONGEST]


def short_of_memory(said: str) -> bool:
    """True when the text tells of too little memory, in one of TensorRT's ways to say so."""
    return "outofmemory" in said.lower().replace(" ", "").replace("_", "")


_journals: dict[str, tuple[Any, Any, Journal]] = {}
_making = threading.Lock()


def logger(trt: Any) -> tuple[Any, Journal]:
    """The process's logger of this library, and what it heard."""
    with _making:
        module, made, journal = _journals.get(trt.__name__, (None, None, None))
        if module is not trt or made is None or journal is None:
            journal = Journal()
            made = _make(trt, journal)
            _journals[trt.__name__] = (trt, made, journal)
        return made, journal


def _make(trt: Any, journal: Journal) -> Any:
    class Logger(trt.ILogger):  # type: ignore[misc]  # the library has no types
        def __init__(self) -> None:
            trt.ILogger.__init__(self)  # the binding demands that it is called like this

        def log(self, severity: Any, msg: str) -> None:
            journal.take(getattr(severity, "name", str(severity)), msg)

    return Logger()
