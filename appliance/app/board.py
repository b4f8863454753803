"""The board under the running appliance: one meter of its power, one division of its energy, one look at everything.

For whoever steers by it (the governor) or shows it (status, metrics), `Instruments` answers at once, from memory, and
never waits for a bus; each process has one:

- `seen`: the latest look and its age, None before the first; a bus that hangs shows as an age that grows. Its
  `look.heat.hottest_c` may be None, which is no reason to be calm.
- `mean_watts(10)`: mean power of the last 10 s of what the budget is about, the machine's `source`; None when less than
  half of that was measured. `watts`: power at the latest reading.
- `idle_watts`: what the machine draws while nothing runs; None until it was at rest for two seconds.
- `measured`: whether there is power to measure at all; `health`: from which source, what that covers and what is amiss.
- `alarms`: how often each limit was exceeded since the start.

`bills` opens the accounts of requests; `meter` and `sharing` are for those who need more than the above.

Only this looks at the alarms: by TI's datasheet reading clears them, so that a second reader would take them away.
A machine that has nothing to measure has neither of the two threads, and `health` says why.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from appliance.device.alarms import Alarms
from appliance.device.bill import Bills
from appliance.device.board import Board
from appliance.device.energy import Sharing
from appliance.device.look import Look, Sensors, Watch
from appliance.device.meter import EVERY_S, Meter
from appliance.device.power import Health
from appliance.device.source import find_power
from appliance.listener import Listener, silent

ROOT = Path("/")
LOOK_S = 1.0
"""Seconds between two looks."""
MEAN_S = 10.0
"""Seconds over which a budget in watts is kept in the mean."""

_LONGEST_LOOK_S = 5.0


@dataclass(frozen=True, slots=True)
class Seen:
    """The latest look."""

    look: Look
    """What was seen."""
    age_s: float
    """Seconds since then: about LOOK_S at most while all is well."""


class Instruments:
    """Reads the machine's sensors from `start` to `close`. Thread-safe; nothing here raises or waits for a sensor."""

    def __init__(
        self,
        root: Path = ROOT,
        *,
        watching: bool = True,
        every_s: float = EVERY_S,
        listener: Listener = silent,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Find what can be measured under `root`; `every_s` seconds lie between two readings of power.

        Without `watching` power alone is read: for commands beside an appliance that serves and owns the alarms. The
        listener hears what the meter and the bills tell, and `power_alarm` (kind, name, count) when a rail comes
        above its limit (`over`), a unit's clocks are held down (`throttled`) or a counter of the board grows
        (`event`).
        """
        self._listener, self._clock = listener, clock
        self.sharing = Sharing(clock=clock)
        self.meter = Meter(
            lambda: find_power(root), every_s=every_s, observers=[self.sharing.observe], listener=listener, clock=clock
        )
        self.bills = Bills(self.sharing, lambda: self.meter.available, listener, begun=self.meter.nudge)
        self._watch = Watch(root, fresh_s=0.0, clock=clock)
        self._watching = watching and _tells(self._watch.sensors)
        self._lock = threading.Lock()
        self._last: Look | None = None
        self._alarms: Counter[tuple[str, str]] = Counter()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="board", daemon=True)

    def start(self) -> None:
        """Begin to read, where there is anything to read or may be later. Raises RuntimeError when called twice."""
        if self.meter.available or self.machine.jetson:  # a board's drivers may come later than the appliance
            self.meter.start()
        if self._watching:
            self._thread.start()

    def close(self) -> None:
        """Stop, and wait a few seconds for what is being read."""
        self._over.set()
        self.meter.close()
        self.sharing.settle()
        if self._thread.is_alive():
            self._thread.join(_LONGEST_LOOK_S)

    def settle(self) -> None:
        """Read once more, and have all work told that has ended: before whoever keeps the figures closes."""
        self.meter.sample(fresh_s=0.0)
        self.sharing.settle()

    def __enter__(self) -> Instruments:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def machine(self) -> Board:
        """Family, module and release of the machine."""
        return self._watch.sensors.board

    @property
    def sensors(self) -> Sensors:
        """Everything that is looked at."""
        return self._watch.sensors

    @property
    def watching(self) -> bool:
        """Whether there are looks: not in a command beside the service, nor where there is nothing to see."""
        return self._watching

    @property
    def seen(self) -> Seen | None:
        """The latest look; None before the first one, and where there are none."""
        look = self._last
        return None if look is None else Seen(look, max(0.0, self._clock() - look.at))

    @property
    def alarms(self) -> Mapping[tuple[str, str], int]:
        """Alarms since the start, by kind (`over`, `throttled`, `event`) and name."""
        with self._lock:
            return dict(self._alarms)

    @property
    def measured(self) -> bool:
        """Whether the machine's power is measured."""
        return self.meter.available

    @property
    def health(self) -> Health:
        """Which source power is read from, what that covers, and whether reading goes well."""
        return self.meter.health

    @property
    def watts(self) -> float | None:
        """Power at the latest reading; None when that is too old."""
        return self.meter.watts

    def mean_watts(self, seconds: float = MEAN_S) -> float | None:
        """Mean power of the last `seconds`; None when less than half of them was measured."""
        return self.meter.mean_watts(seconds)

    @property
    def idle_watts(self) -> float | None:
        """What the machine draws while nothing runs; None until it was at rest for a while."""
        return self.sharing.idle_watts

    def _run(self) -> None:
        failing = False  # told once, and not every second for years
        while True:
            try:
                self._see(self._watch.now())
                failing = False
            except Exception as error:  # noqa: BLE001 - whatever a sensor does, whoever steers by the looks needs the next one
                if not failing:
                    self._say("look_failed", reason=repr(error))
                failing = True
            if self._over.wait(LOOK_S):
                return

    def _see(self, look: Look) -> None:
        before, self._last = self._last, look
        rung = _rung(look.alarms, before.alarms if before is not None else None)
        with self._lock:
            self._alarms.update(rung)
        for (kind, name), count in rung.items():
            self._say("power_alarm", kind=kind, name=name, count=count)

    def _say(self, event: str, **fields: object) -> None:
        with suppress(Exception):  # the thread has to go on, whoever listens
            self._listener(event, **fields)


def _tells(sensors: Sensors) -> bool:
    """Whether there is anything to look at, or may be once all of a board's drivers are there."""
    return sensors.board.jetson or bool(sensors.rails or sensors.zones or sensors.clocks.gpu)


def _rung(now: Alarms, before: Alarms | None) -> dict[tuple[str, str], int]:
    """What has begun since the look before: limits exceeded, clocks held down, and by what the counters grew."""
    over, throttled = (before.over, before.throttled) if before is not None else ((), ())
    begun = {("over", name): 1 for name in now.over if name not in over}
    begun |= {("throttled", name): 1 for name in now.throttled if name not in throttled}
    grown = now.since(before) if before is not None else {}
    return begun | {("event", name): count for name, count in grown.items()}
