"""The governor in the running appliance: it looks at the board once a second, turns the knobs, and says what it does.

Which level is right, `device.governor` decides; what a level means, `device.ladder` says; here is what looks, and what
turns. Knobs that take seconds (another precision, another recogniser) are turned by a thread of their own, so that a
chip that gets hot meanwhile is noticed; whoever is being answered is answered to the end as before.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace

from appliance.app.board import Instruments
from appliance.device.allowance import Allowance
from appliance.device.governor import STALE_S, Governor
from appliance.device.ladder import DEEPEST, Rung, rung_of, serves
from appliance.device.level import Limits, Reading, Step, room
from appliance.device.look import Look
from appliance.device.pace import Pace
from appliance.errors import Both, TooHot
from appliance.listener import Listener, silent
from appliance.settings import Settings
from appliance.trail import trail
from appliance.values import Feature, statements

LOOK_S = 1.0
"""Seconds between two looks."""
AGAIN_S = 60.0
"""Seconds after which to ask again for what is refused for heat: it is refused for a minute at least."""
SHOWN = 8
"""Last steps that the status shows."""
HEATING = {"ocr": "image", "asr": "audio", "vad": "audio", "microphone": "audio", "speech": "speech"}
"""Features that are off while the chip is too hot, and the kind of work behind each."""


@dataclass(frozen=True, slots=True)
class Knob:
    """Something that can be done with less."""

    name: str
    """For people, for example `detector`."""
    turn: Callable[[Rung], str]
    """Sets it as a rung says, and says in English how it is set now; what it raises is logged."""
    slow: bool = False
    """Whether turning it takes longer than a moment."""


class Governing:
    """Keeps power and heat of one appliance, from `start` to `close`. Thread-safe."""

    def __init__(
        self,
        settings: Settings,
        board: Instruments,
        *,
        watching: bool = True,
        listener: Listener = silent,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep what `settings` say, by what `board` reads; `join` brings the knobs.

        Without `watching` it is off: a command beside an appliance that serves does not steer the board.

        The listener hears `governor_off` (reason), `governor_problem` (reason) for limits that cannot work on this
        board, `governor_step` (before, after, direction, cause, reason), `governor_knob` (name, reason) for a knob that
        could not be turned, and `governor_failed` (reason).
        """
        self.limits = Limits(
            settings.power_budget_w,
            settings.temperature_ceiling_c,
            settings.temperature_critical_c,
            settings.temperature_hysteresis_c,
        )
        self._board, self._listener, self._clock = board, listener, clock
        self.off = _why_off(settings, board) if watching else _BESIDE
        self._governor = Governor(self.limits, DEEPEST, clock)
        self._lock = threading.Lock()  # around the governor and what is shown of it
        self.pace = Pace(
            Allowance(settings.power_budget_w),
            board.meter.spans,
            lambda: self.off is None and board.measured,
            listener=listener,
            clock=clock,
        )
        self._level = 0
        self._share = 1.0
        self._celsius: float | None = None
        self._looked: Look | None = None
        self._alarms: tuple[str, ...] = ()
        self._knobs: tuple[Knob, ...] = ()
        self._set: dict[str, str] = {}
        self._over = threading.Event()
        self._turning = threading.Condition()
        self._turned = 0
        self._threads = [
            threading.Thread(target=self._run, name="governor", daemon=True),
            threading.Thread(target=self._turn_slowly, name="knobs", daemon=True),
        ]

    def join(self, knobs: Iterable[Knob]) -> None:
        """Turn these, too, from the next step on; before `start`."""
        self._knobs = (*self._knobs, *knobs)

    def start(self) -> None:
        """Begin to look, unless it is off. Raises RuntimeError when called twice."""
        if self.off is not None:
            self._listener("governor_off", reason=" / ".join(self.off))
            return
        if problem := self._problem():
            self._listener("governor_problem", reason=problem)
        self.pace.loaded()
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Look no more, and wait for the knob in hand."""
        self._over.set()
        with self._turning:
            self._turning.notify_all()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(10)

    @property
    def level(self) -> int:
        """0 for everything, DEEPEST for the least, one more while all but words and touch is refused."""
        return self._level

    def check(self, kind: str) -> None:
        """Raise TooHot when `kind` of work (`image`, `audio`, `speech`) is not taken now."""
        if not serves(kind, self._level):
            raise TooHot(self._too_hot, retry_after=AGAIN_S)

    @contextmanager
    def enter(self, kind: str, deadline: float | None = None, size: float = 1.0) -> Iterator[None]:
        """Do heavy work of `kind` during the block, once the power budget has room: see `Pace.enter`.

        Raises TooHot as `check` does, also when the chip has become so while it waited.
        """
        self.check(kind)
        with self.pace.enter(kind, deadline, size):
            self.check(kind)
            yield

    def shown(self, features: Iterable[Feature]) -> tuple[Feature, ...]:
        """`features` as they are under the governor: those that are refused for heat are off, and say so."""
        if self._level <= DEEPEST:
            return tuple(features)
        chinese = f"芯片 {self._degrees}，正在降温；文字和触摸照常可用"
        reason = statements([f"heat: {chinese} / {self._too_hot}; words and touch are served"])
        return tuple(
            replace(each, state="off", backend="none", reason=reason)
            if each.name in HEATING and each.state in ("ready", "fallback")
            else each
            for each in features
        )

    def state(self) -> dict[str, object]:
        """What the status shows, JSON types only."""
        with self._lock:
            state, knobs = self._governor.state, dict(self._set)
        account = self.pace.account
        reason = self.off or state.reason
        return {
            "on": self.off is None,
            "watching": state.watching,
            "level": self._level,
            "deepest": DEEPEST,
            "refusing": self._level > DEEPEST,
            "cause": state.cause,
            "reason": " / ".join(reason),
            "problem": self._problem() or self._overdrawn(account.rest_w),
            "since_s": round(state.since_s, 1),
            "downs": state.downs,
            "ups": state.ups,
            "next_up_s": round(max(0.0, state.wanted_s - state.calm_s), 1) if state.level else None,
            "steps": [_shown(step, self._clock()) for step in state.steps[-SHOWN:]],
            "limits": asdict(self.limits),
            "power": {name: round(value, 2) for name, value in asdict(account).items()} if self._paces else None,
            "knobs": {knob.name: knobs.get(knob.name, "as set") for knob in self._knobs},
        }

    @property
    def _paces(self) -> bool:
        return self.off is None and self._board.measured

    @property
    def _degrees(self) -> str:
        return "温度未知" if self._celsius is None else f"{self._celsius:.0f} °C"

    @property
    def _too_hot(self) -> str:
        now = "one whose temperature is unknown" if self._celsius is None else f"{self._celsius:.0f} degrees"
        return f"the chip has to cool to {self.limits.cooled_c:g} degrees first, got {now}"

    def _problem(self) -> str:
        """What is wrong with the limits on this board, in English; empty when nothing is."""
        trips = [zone.critical_c for zone in self._board.sensors.zones if zone.critical_c is not None]
        if trips and self.limits.critical_c >= min(trips):
            return (
                f"temperature_critical_c: expected less than the {min(trips):g} degrees at which the board switches "
                f"itself off, got {self.limits.critical_c:g}"
            )
        return ""

    def _overdrawn(self, rest_w: float) -> str:
        """That the board draws more at rest than it may: no knob of ours changes that."""
        budget = self.limits.budget_w
        if not self._paces or rest_w <= budget:
            return ""
        return f"power_budget_w: expected more than the {rest_w:.1f} W that this board draws at rest, got {budget:g}"

    def _run(self) -> None:
        while not self._over.wait(LOOK_S):
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - whatever goes wrong once, the chip has to be watched on
                self._say("governor_failed", reason=trail(error))

    def look(self) -> None:
        """Look at the board once, and do what follows; what `start`'s thread does every LOOK_S."""
        reading = self._reading()
        with self._lock:
            step = self._governor.look(reading)
            self._level = self._governor.state.level
        self._share = room(reading.celsius, self.limits, self._share)
        self.pace.limit(self._share, min(self._level, DEEPEST))
        if step is not None:
            self._say(
                "governor_step",
                before=step.before,
                after=step.after,
                direction=step.direction,
                cause=step.cause,
                reason=" / ".join(step.reason),
            )
            self._turn(slow=False)
            with self._turning:
                self._turning.notify_all()

    def _reading(self) -> Reading:
        seen = self._board.seen
        fresh = seen is not None and seen.age_s <= STALE_S
        if seen is not None and seen.look is not self._looked:
            told = seen.look.alarms
            grown = told.since(self._looked.alarms) if self._looked is not None else {}
            self._alarms, self._looked = tuple(dict.fromkeys((*told.throttled, *told.over, *grown))), seen.look
        self._celsius = seen.look.heat.hottest_c if seen is not None and fresh else None
        read_at = seen.look.at if seen is not None else None
        alarms = self._alarms if fresh else ()
        return Reading(self._board.mean_watts(), self._celsius, alarms, self.pace.waited_s, read_at=read_at)

    def _turn(self, *, slow: bool) -> None:
        rung = rung_of(self._level)
        for knob in self._knobs:
            if knob.slow != slow or self._over.is_set():
                continue
            try:
                now = knob.turn(rung)
            except Exception as error:  # noqa: BLE001 - one that sticks must not keep the others from being turned
                now = f"could not be turned: {trail(error)}"
                self._say("governor_knob", name=knob.name, reason=trail(error))
            with self._lock:
                self._set[knob.name] = now

    def _turn_slowly(self) -> None:
        while True:
            with self._turning:
                self._turning.wait_for(lambda: self._over.is_set() or self._turned != self._level)
                if self._over.is_set():
                    return
                self._turned = self._level
            self._turn(slow=True)

    def _say(self, event: str, **fields: object) -> None:
        with suppress(Exception):  # the chip has to be watched on, whoever listens
            self._listener(event, **fields)


def _why_off(settings: Settings, board: Instruments) -> Both | None:
    """Why nothing is governed here; None where it is."""
    if settings.governor == "off":
        return "已在设置中关闭（governor=off）", "turned off by the setting governor"
    if settings.governor == "auto" and not board.machine.jetson:
        return (
            "本机不是 NVIDIA 板卡；设置 governor=on 可启用",
            "this machine is none of NVIDIA's boards; the setting governor=on turns it on",
        )
    if not board.watching and not board.measured and not board.machine.jetson:
        return "本机没有可读的功率或温度传感器", "this machine has no power or temperature sensor that can be read"
    return None


_BESIDE: Both = ("此命令不调节功率和温度", "this command steers neither power nor heat")


def _shown(step: Step, now: float) -> dict[str, object]:
    return {
        "ago_s": round(max(0.0, now - step.at), 1),
        "before": step.before,
        "after": step.after,
        "cause": step.cause,
        "reason": " / ".join(step.reason),
    }
