"""What others ask of the thread that has the conversation: to listen, to fall silent, to answer what is shown."""

from __future__ import annotations

import threading
from collections.abc import Callable

from appliance.values import Reply

WAIT_S = 0.1
"""Seconds between two looks of one who shows something whether to go on waiting."""

Answer = Callable[[str | None, str], Reply | None]
"""Reads what is shown and answers it (session, language); None when no turn came of it."""


class Shown:
    """Something that is shown and waits for its answer."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.begun = False
        self.over = threading.Event()
        self.reply: Reply | None = None


class Asked:
    """Wishes in their order, and at most one thing that is shown. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: list[Callable[[], None]] = []
        self._shown: Shown | None = None
        self._gone = False
        self._ended = False

    def ask(self, what: Callable[[], None]) -> None:
        """Have `what` done by the conversation's thread between two blocks of sound."""
        with self._lock:
            self._asked.append(what)

    def leave(self, what: Callable[[], None]) -> None:
        """The same, and whoever was talking has gone: see `gone`."""
        with self._lock:
            self._asked.append(what)
            self._gone = True

    @property
    def gone(self) -> bool:
        """Whether whoever was talking has gone; until `next_customer`."""
        with self._lock:
            return self._gone

    def next_customer(self) -> None:
        """Whoever comes now is another."""
        with self._lock:
            self._gone = False

    def next(self) -> Callable[[], None] | None:
        """The next wish; None when there is none."""
        with self._lock:
            return self._asked.pop(0) if self._asked else None

    @property
    def waiting(self) -> bool:
        """Whether anything is asked for that has not been begun."""
        with self._lock:
            return bool(self._asked) or self._shown is not None

    def show(self, answer: Answer, alive: Callable[[], bool], stopped: Callable[[], bool]) -> Reply | None:
        """Have `answer` answered, and wait for it. None when no turn came of it, something else is being shown, the
        conversation is not `alive`, or `stopped` said so before its turn had come.
        """
        shown = Shown(answer)
        with self._lock:
            if self._ended or not alive() or self._shown is not None:
                return None
            self._shown = shown
        while not shown.over.wait(WAIT_S):
            with self._lock:
                if stopped() and not shown.begun and self._shown is shown:
                    self._shown = None
                    return None
        return shown.reply

    def begin(self, free: Callable[[], bool]) -> Shown | None:
        """What is shown and is to be answered now, being `free`; None when there is none."""
        with self._lock:
            shown = self._shown
            if shown is not None:
                shown.begun = free()
        return shown if shown is not None and shown.begun else None

    def answered(self, shown: Shown) -> None:
        """It has been answered, or has failed: whoever shows it waits no longer, and the next may come."""
        with self._lock:
            self._shown = None
        shown.over.set()

    def end(self) -> None:
        """The conversation has ended: nobody is to wait for it, now or later."""
        with self._lock:
            shown, self._shown, self._ended = self._shown, None, True
        if shown is not None:
            shown.over.set()
