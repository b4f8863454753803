"""How much the machine may do: steps down when it draws or heats too much, up again when it does not. Pure logic.

Level 0 is everything, the deepest level is the least with which everything still serves, and one beyond it refuses all
but text and touch. Down is fast: one level as often as the mean over 10 s can show what the last one did, all the way
when it is urgent, and to refusing at once at the critical temperature. Up is slow: one level at a time, after a calm
time that doubles whenever a step up had to be taken back, and only when what the step down saved still fits.

One reading alone at the critical temperature, out of a cool chip, takes the deepest level and refuses nobody yet: a
chip has mass, a bad reading has none. A second one within CONFIRM_S refuses, and so does the first where the chip was
half-way there before.

It cannot flap: no more than MOST_UPS steps up fall into any hour beside the ends of refusing, of which the time that
doubles with each return leaves MOST_REFUSALS; each is of one level, and a step down needs a level to go to, so that an
hour has at most `bound(deepest)` steps whatever is read.

What is not known is neither cool nor cheap nor too much: while a sense that has spoken before is silent, nothing goes
up; after BLIND_S of that the deepest level is taken, where a machine whose fan broke too does the least harm and
everything still serves. It is not refusing, because the kernel switches a chip off that really burns, and a broken
sensor must not close the counter: where it breaks while all is refused, refusing ends after LOST_S. A sense that has
never spoken is not waited for; without any the governor is off. A sense that stands still while the other moves is
stuck, and says no more than a silent one (`device.stuck`).
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from appliance.device.level import Limits, Reading, State, Step
from appliance.device.reasons import BLIND, BLIND_S, LOST, LOST_S, NO_STEP, NOT_YET, OFF, hot, over
from appliance.device.stuck import Stuck
from appliance.errors import Both

MOST_UPS = 12
"""Steps up in any hour at most."""
HOUR_S = 3600.0
DOWN_S = 10.0
"""Seconds between two steps down: the mean over 10 s shows only then what the last one did."""
FIRST_S = 60.0
"""Seconds of calm before a step up."""
LONGEST_S = 960.0
"""The same after steps up had to be taken back several times."""
TRIAL_S = 120.0
"""Seconds after a step up in which a step down takes it back."""
FORGIVEN_S = 1800.0
"""Seconds without a step down after which earlier ones taken back are forgotten."""
REFUSED_S = 60.0
"""Least seconds for which all but text is refused."""
LONGEST_REFUSED_S = 480.0
"""The same, after it had to be refused again and again: the time doubles with each return within FORGIVEN_S."""
MOST_REFUSALS = 9
"""Ends of refusing in any hour at most: 120, 240 and then 480 s after the one before."""
CONFIRM_S = 5.0
"""Seconds within which a second reading bears out a first one at the critical temperature."""
STALE_S = 5.0
"""A look older than this says nothing of now."""
LEAD_S = 20.0
"""Seconds by which a temperature that rises is seen ahead."""
URGENT = 1.5
"""Share of the budget above which the deepest level is taken at once."""
EASY = 0.95
"""Share of the budget below which the power counts as calm."""
WAITING_S = 3.0
"""Seconds that requests wait for power, from which smaller work is worth its price."""
EASY_WAIT_S = 0.5
"""The same below which the waiting counts as calm."""
FADES_S = 300.0
"""Seconds in which half of what is known of a step's saving is forgotten: the load has changed meanwhile."""

_LONGEST_TURN_S = 5.0
_SETTLED_S = 12.0
_SLOPE_S = 30.0
_SLOPE_LEAST_S = 5.0
_STEPS = 32


def bound(deepest: int) -> int:
    """Steps in any hour at most: each level that is gone down was there at its beginning or was gone up since."""
    return 2 * (MOST_UPS + MOST_REFUSALS) + deepest + 1


@dataclass(slots=True)
class _Saving:
    """What the last step down from a level saved."""

    watts: float
    at: float


@dataclass(slots=True)
class _Settling:
    """A step down whose saving is not known yet."""

    step: Step
    watts: float


@dataclass(slots=True)
class _Memory:
    """What was read before."""

    heat: deque[tuple[float, float]] = field(default_factory=deque)
    savings: dict[int, _Saving] = field(default_factory=dict)
    settling: _Settling | None = None
    knows_watts: bool = False
    knows_celsius: bool = False


class Governor:
    """Decides the level from reading to reading. Not thread-safe: one thread looks."""

    def __init__(self, limits: Limits, deepest: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Keep `limits` on a ladder whose last level is `deepest` (>= 1); `clock` must not go back."""
        if deepest < 1:
            raise ValueError(f"governor: expected at least one level below the first, got {deepest}")
        self.limits, self._deepest, self._clock = limits, deepest, clock
        self._level = 0
        self._looked = False
        self._now = self._since = clock()
        self._last_down = self._last_up = -math.inf
        self._calm = self._blind = self._lost = 0.0
        self._wanted, self._refused_s = FIRST_S, REFUSED_S
        self._refusal_ended = -math.inf
        self._critical: tuple[float, float] | None = None  # when one was last looked at, and when that was read
        self._before: float | None = None  # the temperature of the look before
        self._stuck = Stuck(limits.budget_w)
        self._taken_back = True  # no step up to take back yet
        self._ups: deque[float] = deque()
        self._steps: deque[Step] = deque(maxlen=_STEPS)
        self._counts = {"up": 0, "down": 0}
        self._memory = _Memory()

    def look(self, reading: Reading) -> Step | None:
        """Take note of a reading, as often as there is one, about once a second; the step that follows from it."""
        # A clock that stands still or a process that was stopped: only time that was looked at counts as calm.
        self._looked = True
        now = max(self._now, self._clock())
        passed, self._now = min(now - self._now, _LONGEST_TURN_S), now
        watts, celsius, alarms = _known(reading)
        memory = self._memory
        watts, celsius = self._stuck.moving(now, watts, celsius)
        memory.knows_watts |= watts is not None
        memory.knows_celsius |= celsius is not None
        if not self.watching:
            return None
        missing = (memory.knows_watts and watts is None) or (memory.knows_celsius and celsius is None)
        self._blind = self._blind + passed if missing else 0.0
        self._lost = self._lost + passed if celsius is None else 0.0
        self._settle(watts)
        ahead = self._ahead(celsius)
        sure = self._is_critical(celsius, reading.read_at)
        step = self._down(watts, celsius, ahead, alarms, reading.waited_s, sure=sure)
        if step is not None:
            self._calm = 0.0
            return step
        calm = not missing and self._is_calm(watts, celsius, alarms, reading.waited_s)
        self._calm = self._calm + passed if calm else 0.0
        return self._up(watts, celsius) if calm else self._unseen(watts)

    @property
    def watching(self) -> bool:
        """Whether anything was ever read."""
        return self._memory.knows_watts or self._memory.knows_celsius

    @property
    def state(self) -> State:
        """Where it stands."""
        last = self._steps[-1] if self._steps else None
        return State(
            level=self._level,
            deepest=self._deepest,
            watching=self.watching,
            since_s=max(0.0, self._clock() - self._since),
            cause=last.cause if last else "",
            reason=last.reason if last else NO_STEP if self.watching else OFF if self._looked else NOT_YET,
            steps=tuple(self._steps),
            downs=self._counts["down"],
            ups=self._counts["up"],
            calm_s=self._calm,
            wanted_s=self._refused_s if self._refusing else self._wanted,
        )

    def _is_critical(self, celsius: float | None, read_at: float | None) -> bool:
        """Whether the chip is at its critical temperature, by more than one reading that may be a bad one."""
        before, self._before = self._before, celsius
        if celsius is None or celsius < self.limits.critical_c:
            return False
        seen, self._critical = self._critical, (self._now, self._now if read_at is None else read_at)
        if seen is not None and seen[1] == self._critical[1]:  # one reading, looked at twice
            self._critical, self._before = seen, before
            return False
        if before is not None and before >= self.limits.urgent_c:
            return True
        return seen is not None and self._now - seen[0] <= CONFIRM_S

    def _down(
        self,
        watts: float | None,
        celsius: float | None,
        ahead: float,
        alarms: tuple[str, ...],
        waited_s: float,
        *,
        sure: bool,
    ) -> Step | None:
        limits, level = self.limits, self._level
        if celsius is not None and sure and level <= self._deepest:
            return self._step(
                self._deepest + 1,
                "critical",
                hot(celsius, limits.critical_c, "临界温度", "critical temperature"),
                watts,
            )
        if level >= self._deepest:
            return None
        if celsius is not None and celsius >= limits.urgent_c:
            return self._step(self._deepest, "heat", hot(celsius, limits.ceiling_c, "上限", "ceiling"), watts)
        if watts is not None and watts > URGENT * limits.budget_w:
            return self._step(self._deepest, "power", over(watts, limits.budget_w), watts)
        if self._blind >= BLIND_S:
            return self._step(self._deepest, "blind", BLIND, watts)
        if self._now - self._last_down < DOWN_S:
            return None
        found: tuple[str, Both] | None = None
        if celsius is not None and (celsius >= limits.ceiling_c or ahead >= limits.ceiling_c):
            found = "heat", hot(celsius, limits.ceiling_c, "上限", "ceiling")
        elif watts is not None and watts > limits.budget_w:
            found = "power", over(watts, limits.budget_w)
        elif alarms:
            found = "alarm", (f"板卡告警：{'、'.join(alarms)}", f"the board complains of {', '.join(alarms)}")
        elif waited_s >= WAITING_S:
            found = "waiting", (f"请求等待功率 {waited_s:.0f} 秒", f"requests wait {waited_s:.0f} s for power")
        return self._step(level + 1, *found, watts) if found is not None else None

    def _is_calm(self, watts: float | None, celsius: float | None, alarms: tuple[str, ...], waited_s: float) -> bool:
        """Whether one more level of work would do, as far as is known."""
        if celsius is not None and celsius > (self.limits.cooled_c if self._refusing else self.limits.calm_c):
            return False
        if self._refusing:  # what is refused draws nothing, and what is left cannot be helped
            return celsius is not None
        if alarms or waited_s > EASY_WAIT_S:
            return False
        return watts is None or watts + self._cost(self._level - 1) <= EASY * self.limits.budget_w

    def _up(self, watts: float | None, celsius: float | None) -> Step | None:
        if not self._level:
            return None
        if self._now - self._last_down >= FORGIVEN_S:
            self._wanted = FIRST_S
        wanted = self._refused_s if self._refusing else self._wanted
        calm = REFUSED_S if self._refusing else wanted
        if self._calm < calm or self._now - self._since < wanted:
            return None
        if not self._refusing and not self._may_go_up():
            return None
        if self._refusing and celsius is not None:
            reason = (f"芯片已降到 {celsius:.0f} °C", f"the chip has cooled to {celsius:.0f} °C")
            return self._step(self._deepest, "cooled", reason, watts)
        reason = (f"已平稳 {self._calm:.0f} 秒", f"calm for {self._calm:.0f} s")
        return self._step(self._level - 1, "calm", reason, watts)

    def _unseen(self, watts: float | None) -> Step | None:
        """Refusing ends, too, when nobody can tell any more whether the chip has cooled."""
        if not self._refusing or self._lost < LOST_S or self._now - self._since < self._refused_s:
            return None
        return self._step(self._deepest, "blind", LOST, watts)

    def _may_go_up(self) -> bool:
        """Whether one more step up keeps their number in the last hour."""
        while self._ups and self._now - self._ups[0] >= HOUR_S:
            self._ups.popleft()
        return len(self._ups) < MOST_UPS

    @property
    def _refusing(self) -> bool:
        return self._level > self._deepest

    def _step(self, level: int, cause: str, reason: Both, watts: float | None) -> Step:
        step = Step(self._now, self._level, level, cause, reason)
        if step.direction == "down":
            if not self._taken_back and self._now - self._last_up < TRIAL_S:
                self._wanted = min(2 * self._wanted, LONGEST_S)
            self._taken_back = True
            self._last_down = self._now
            self._memory.settling = _Settling(step, watts) if watts is not None else None
            if level > self._deepest:
                again = self._now - self._refusal_ended < FORGIVEN_S
                self._refused_s = min(2 * self._refused_s, LONGEST_REFUSED_S) if again else REFUSED_S
        else:
            if self._refusing:
                self._refusal_ended = self._now
            else:
                self._ups.append(self._now)
            self._last_up, self._taken_back = self._now, False
            self._memory.settling = None
        self._counts[step.direction] += 1
        self._steps.append(step)
        self._level, self._since, self._calm = level, self._now, 0.0
        return step

    def _settle(self, watts: float | None) -> None:
        """Once the mean holds nothing of before a step down, what it saved is known."""
        settling = self._memory.settling
        if settling is None or watts is None or self._now - settling.step.at < _SETTLED_S:
            return
        step, self._memory.settling = settling.step, None
        each = max(0.0, settling.watts - watts) / (step.after - step.before)
        for level in range(step.before, step.after):
            self._memory.savings[level] = _Saving(each, self._now)

    def _cost(self, level: int) -> float:
        """Watts that going up to `level` is likely to add."""
        saving = self._memory.savings.get(level)
        return 0.0 if saving is None else saving.watts * float(0.5 ** ((self._now - saving.at) / FADES_S))

    def _ahead(self, celsius: float | None) -> float:
        """The temperature in LEAD_S if it goes on rising; below every limit where it does not, or is not known."""
        seen = self._memory.heat
        if celsius is None:
            seen.clear()
            return -math.inf
        seen.append((self._now, celsius))
        while self._now - seen[0][0] > _SLOPE_S:
            seen.popleft()
        over = self._now - seen[0][0]
        if over < _SLOPE_LEAST_S or celsius < self.limits.calm_c:
            return celsius
        return celsius + max(0.0, (celsius - seen[0][1]) / over) * LEAD_S


def _known(reading: Reading) -> tuple[float | None, float | None, tuple[str, ...]]:
    """Power, temperature and alarms, as far as they say something of now."""
    if not reading.age_s <= STALE_S:
        return None, None, ()
    watts = reading.watts if reading.watts is not None and math.isfinite(reading.watts) else None
    celsius = reading.celsius if reading.celsius is not None and math.isfinite(reading.celsius) else None
    return watts, celsius, reading.alarms
