"""Recordings of power, as `appliance power --record` writes them, for tests: those in the folder `traces`.

`python -m tests.app.traces` has written the ones that are there: simulated, with an idle board at about 4.3 W, with
customers who come and go, and with the chip's mean over 0.4 s (powers are of the size that is published for an Orin
Nano). Not yet measured on hardware: a recording from a board that is put beside them is tested with them.
"""

from __future__ import annotations

import random
from collections import deque
from pathlib import Path

from appliance.device.recording import Reading, Recording, write

FOLDER = Path(__file__).parent / "traces"
IDLE_W = 4.3
SECONDS = 90.0
_STEP_S = 0.01
_MEAN_S = 0.4
"""What the INA3221 averages over, see appliance.device.rails."""


def simulated(seed: int, busy: float) -> Recording:
    """A minute and a half with visitors for a share `busy` of the time, after three seconds of rest."""
    chance = random.Random(seed)
    watts: list[float] = []
    level, until, working = IDLE_W, 3.0, False
    while len(watts) * _STEP_S < SECONDS:
        now = len(watts) * _STEP_S
        if now >= until:
            working = chance.random() < busy
            until = now + chance.uniform(0.3, 2.5)
        # Reading draws most at first (detection), then in bursts; and nothing is ever quite still.
        aim = IDLE_W + (chance.choice((2.1, 3.4, 5.6, 6.2)) if working else 0.0)
        level += (aim - level) * 0.2
        watts.append(level + chance.gauss(0.0, 0.05))
    seen: deque[float] = deque(maxlen=round(_MEAN_S / _STEP_S))
    readings = []
    due = 0.0
    for index, value in enumerate(watts):
        seen.append(value)
        now = index * _STEP_S
        if now >= due:
            mean = round(sum(seen) / len(seen), 3)
            readings.append(Reading(now, mean, {"VDD_IN": mean}, None))
            due = now + chance.uniform(0.19, 0.23)
    return Recording(f"simulated (seed {seed}): source=VDD_IN board=orin-nano mode=15W", tuple(readings))


def main() -> None:
    """Write the simulated ones."""
    FOLDER.mkdir(exist_ok=True)
    for name, seed, busy in (("few visitors", 1, 0.35), ("a queue", 2, 0.85)):
        write(simulated(seed, busy), FOLDER / f"simulated-{name.replace(' ', '-')}.csv")


if __name__ == "__main__":
    main()
