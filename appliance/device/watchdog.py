"""Feeds the service manager's watchdog for as long as the service's own work goes on.

Each part shows life by itself: the inference scheduler before every run and every second when idle, the server each
time it looks at its connections. The thread here only looks how long ago that was. It tells systemd nothing once a part
has been silent for longer than its slowest work may take, so a hung run is noticed though this thread goes on, and one
that is merely slow is not. Should this thread itself stand still, because something keeps Python's interpreter lock or
the lock of a part, systemd hears nothing either.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from appliance.device.notify import Notifier

log = logging.getLogger(__name__)

SHARE = 4
"""Looks in each of the manager's intervals, so that one late look is not yet one too few."""
LEAVE_S = 2.0
"""Seconds that `stop` waits for a look under way, which may itself hang."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """A part of the service whose work can be seen to go on."""

    name: str
    """What it is called in the log."""
    silent_s: Callable[[], float]
    """Seconds since its last sign of life."""
    longest_s: float
    """Seconds of silence beyond which it counts as hung: more than its slowest work takes."""


class Watchdog:
    """Tells `notifier` again and again that the service lives, until a pulse stops. Start and stop it once.

    A service dies `longest_s` and one interval of the manager after its last sign of life; one that shows life again
    before that is let live.
    """

    def __init__(self, notifier: Notifier, pulses: Sequence[Pulse]) -> None:
        """Watch `pulses`; nothing is looked at before `start`, nor without a manager that asks for it."""
        self._notifier = notifier
        self._pulses = tuple(pulses)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self._hung: tuple[str, ...] = ()

    @property
    def hung(self) -> tuple[str, ...]:
        """Names of the parts that hung at the last look."""
        return self._hung

    def start(self) -> None:
        """Begin to look."""
        if self._notifier.watchdog_s:
            self._thread.start()

    def stop(self) -> None:
        """Look no more. The manager's own time-out for stopping holds from here on."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(LEAVE_S)

    def look(self) -> bool:
        """Feed the watchdog if every part works; False, and a line in the log, when one hangs."""
        silences = {pulse.name: pulse.silent_s() for pulse in self._pulses}
        hung = tuple(pulse.name for pulse in self._pulses if silences[pulse.name] > pulse.longest_s)
        if hung != self._hung:
            self._tell(hung, silences)
        self._hung = hung
        if hung:
            return False
        self._notifier.alive()
        return True

    def _run(self) -> None:
        while True:
            self.look()
            if self._stopped.wait(self._notifier.watchdog_s / SHARE):
                return

    def _tell(self, hung: tuple[str, ...], silences: dict[str, float]) -> None:
        for name in hung:
            log.critical(
                "%s has shown no life for %.0f s: the service manager is not told any more that the service lives, and "
                "ends and restarts it in %.0f s",
                name,
                silences[name],
                self._notifier.watchdog_s,
            )
        for name in sorted(set(self._hung) - set(hung)):
            log.warning("%s works again", name)
