"""The governor on simulated boards: an hour of load, with and without it, on the same seeds.

`python -m benchmarks.governor [--board NAME ...] [--scenario NAME ...] [--seconds S] [--seed N] [--json OUT]
[--plot FOLDER] [--check]` runs the appliance's own control (governor, ladder, allowance) on the boards of
`benchmarks.boards`, prints what became of power, heat and requests, and writes a picture of each run. `--check` exits 1
when with the governor

- any window of 10 s from the first full one on drew more than the budget in the mean (bursts' beginnings included),
- the chip came above its critical temperature, or above the ceiling for more than a moment (ABOVE_S in the hour),
- there were more steps than `appliance.device.governor.bound` allows, or
- any question in words went unanswered.

In the scenario `sealed` the air alone brings the chip near the critical temperature: nothing can be kept there but the
refusal of all else, and the words. A simulation on any machine; not yet measured on hardware.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from appliance.device.allowance import WINDOW_S, Allowance, Work
from appliance.device.governor import Governor, bound
from appliance.device.ladder import DEEPEST, RUNGS, Rung, rung_of, serves
from appliance.device.level import Limits, Reading, Step, room
from appliance.device.pace import LATELY_S, PATIENCE_S
from appliance.device.trace import Span
from appliance.settings import Settings
from benchmarks.boards import BOARDS, FAN_FAILED, Chip, SimulatedBoard
from benchmarks.drawing import Panel, draw
from benchmarks.machine import describe

HOUR_S = 3600.0
STEP_S = 0.1
READ_S = 0.2
LIMITS = Limits(budget_w=15.0, ceiling_c=85.0, critical_c=95.0, hysteresis_c=5.0)
ABOVE_S = 60.0
"""Seconds of an hour that the chip may be above its ceiling: the time until a fan that failed has shown."""
IMAGES, RECORDINGS = Settings().image_jobs, Settings().audio_jobs
"""What the settings let in at once."""
PHOTO_S, SOUND_S = 0.45, 1.2
"""Seconds that a photo takes on the Orin Nano with nothing beside it, and a recording, in the middle."""
ALONE = 0.75
"""Share of the accelerator that one photo keeps busy; two keep all of it. An assumption."""
DETECTS = 0.5
"""Share of a photo's work that grows with the detector's pixels. An assumption."""
LIGHTER = 0.8
"""Work of a lighter precision against the usual one. An assumption."""
PLACES = Settings().admitted
"""Requests of all kinds in the house at once."""
WORDS_S = 0.05
"""Seconds of the CPU that a question in words takes. An assumption."""
EVERY = 5
"""Seconds of the trace for one point of a picture."""
NOISE = 0.01
"""Deviation of the sensor's readings, of their value."""


@dataclass(frozen=True, slots=True)
class Phase:
    """Requests by second, for a while."""

    seconds: float
    images: float
    recordings: float
    words: float


IDLE = Phase(120, 0.01, 0.0, 0.1)
TALK = Phase(120, 0.05, 0.25, 0.5)
STEADY = Phase(240, 2.5, 0.1, 0.5)
BURST = Phase(30, 12.0, 1.0, 3.0)
MIXED = (IDLE, STEADY, TALK, BURST, IDLE, TALK, BURST, STEADY)


@dataclass(frozen=True, slots=True)
class Scenario:
    """An hour: what is asked, how warm the air is, and whether the fan turns."""

    about: str
    phases: tuple[Phase, ...]
    ambient: Callable[[float, SimulatedBoard], float] = lambda _at, _board: 25.0
    fan: Callable[[float], bool] = lambda _at: True
    hopeless: bool = False
    """Whether the air alone is too hot, so that neither ceiling nor critical temperature can be kept."""


def _sealed(share: float, board: SimulatedBoard) -> float:
    """Air in which a board at rest without a fan comes 2 degrees above the critical temperature, for half an hour."""
    risen = board.idle_w * (board.sink_k_per_w * FAN_FAILED + board.chip_k_per_w)
    return LIMITS.critical_c + 2 - risen if 1 / 6 <= share < 2 / 3 else 35.0


SCENARIOS = {
    "mixed": Scenario("everything, at 25 degrees", MIXED),
    "bursts": Scenario("nothing, then everybody at once", (Phase(60, 0.0, 0.0, 0.2), BURST)),
    "steady": Scenario("photo after photo without end", (Phase(600, 8.0, 0.2, 1.0),)),
    "heat wave": Scenario("everything, at 45 degrees", MIXED, lambda _at, _board: 45.0),
    "fan failure": Scenario(
        "everything, at 45 degrees, the fan stands still from the tenth to the fortieth minute",
        MIXED,
        lambda _at, _board: 45.0,
        lambda share: not 1 / 6 <= share < 2 / 3,
    ),
    "sealed": Scenario(
        "everything, in a closed box that is too hot even for a board at rest, from the tenth to the fortieth minute",
        MIXED,
        _sealed,
        lambda share: not 1 / 6 <= share < 2 / 3,
        hopeless=True,
    ),
}


@dataclass(slots=True, eq=False)
class _Job:
    kind: str
    arrived: float
    left_s: float
    size: float
    work: Work | None = None


@dataclass(slots=True)
class Course:
    """How one run went."""

    board: str
    scenario: str
    governed: bool
    seconds: float
    most_mean_w: float = 0.0
    over_budget_s: float = 0.0
    most_celsius: float = 0.0
    above_ceiling_s: float = 0.0
    above_critical_s: float = 0.0
    joules: float = 0.0
    downs: int = 0
    ups: int = 0
    words_asked: int = 0
    words_answered: int = 0
    images_asked: int = 0
    images_read: int = 0
    images_full: int = 0
    """Sent away because as many as may be were there."""
    images_power: int = 0
    """Sent away because there was no room in the budget."""
    images_heat: int = 0
    """Sent away because the chip was too hot."""
    recordings_asked: int = 0
    recordings_heard: int = 0
    waited_s: float = 0.0
    """Seconds that photos waited before they were begun, in the mean."""
    levels_s: list[float] = field(default_factory=lambda: [0.0] * (DEEPEST + 2))
    steps: list[Step] = field(default_factory=list)
    trace: list[tuple[float, float, float, int]] = field(default_factory=list)
    """Second, mean of 10 s, degrees, level: once a second."""

    def summary(self) -> dict[str, Any]:
        """Everything but the trace, rounded."""
        shown = {name: value for name, value in asdict(self).items() if name not in ("trace", "steps")}
        shown = {name: round(value, 3) if isinstance(value, float) else value for name, value in shown.items()}
        shown["levels_s"] = [round(seconds) for seconds in self.levels_s]
        shown["steps"] = [[round(step.at), step.before, step.after, step.cause] for step in self.steps]
        return shown


class House:
    """One board with its load, and with or without the governor."""

    def __init__(self, board: SimulatedBoard, scenario: Scenario, seed: int, seconds: float, governed: bool) -> None:
        self.board, self.scenario, self.seconds, self.governed = board, scenario, seconds, governed
        self.rng = random.Random(seed)  # what is asked is the same with and without the governor
        self.noise = random.Random(seed + 1)
        self.now = 0.0
        self.chip = Chip(board, scenario.ambient(0.0, board))
        self.governor = Governor(LIMITS, DEEPEST, clock=lambda: self.now)
        self.allowance = Allowance(LIMITS.budget_w)
        self.level = 0
        self.queues: dict[str, deque[_Job]] = {"image": deque(), "audio": deque()}
        self.running: list[_Job] = []
        self.words_s = 0.0
        self.waits: deque[tuple[float, float]] = deque()
        self.recent: deque[float] = deque(maxlen=round(WINDOW_S / STEP_S))
        self.read: list[float] = []
        self.seen_w = 0.0

    def run(self) -> Course:
        """The whole time."""
        names = {id(each): name for name, each in SCENARIOS.items()}
        course = Course(self.board.name, names.get(id(self.scenario), ""), self.governed, self.seconds)
        for turn in range(round(self.seconds / STEP_S)):
            self.now = turn * STEP_S
            self._arrive(course)
            self._begin(course)
            watts = self._work(course)
            share = self.now / self.seconds
            self.chip.warm(watts, self.scenario.ambient(share, self.board), STEP_S, fan=self.scenario.fan(share))
            self._account(course, watts)
            self.now += STEP_S
            self._measure(watts)
            if turn % round(1 / STEP_S) == 0:
                self._look(course)
        course.waited_s = course.waited_s / max(1, course.images_read)
        return course

    @property
    def rung(self) -> Rung:
        return rung_of(self.level) if self.governed else RUNGS[0]

    def _phase(self) -> Phase:
        at = self.now % sum(phase.seconds for phase in self.scenario.phases)
        for phase in self.scenario.phases:
            if at < phase.seconds:
                return phase
            at -= phase.seconds
        return self.scenario.phases[-1]

    def _arrive(self, course: Course) -> None:
        phase, rng = self._phase(), self.rng
        if rng.random() < phase.words * STEP_S:
            course.words_asked += 1
            # As behind the real door: whoever waits for power holds one of the places that words need, too.
            inside = sum(map(len, self.queues.values())) + len(self.running) + int(self.words_s / WORDS_S)
            if serves("text", self.level) and inside < PLACES:
                course.words_answered += 1
                self.words_s += WORDS_S
        if rng.random() < phase.images * STEP_S:
            course.images_asked += 1
            self._take(
                "image", PHOTO_S / self.board.speed * rng.lognormvariate(0, 0.4), self.rung.images or IMAGES, course
            )
        if rng.random() < phase.recordings * STEP_S:
            course.recordings_asked += 1
            self._take("audio", SOUND_S * rng.lognormvariate(0, 0.4), self.rung.recordings or RECORDINGS, course)

    def _take(self, kind: str, seconds: float, places: int, course: Course) -> None:
        inside = len(self.queues[kind]) + sum(job.kind == kind for job in self.running)
        if not serves(kind, self.level):
            course.images_heat += kind == "image"
        elif inside >= places:
            course.images_full += kind == "image"
        elif self.governed and self.allowance.wait_s(kind, self.now, _size(kind, seconds)) > PATIENCE_S:
            course.images_power += kind == "image"
            self.waits.append((self.now, PATIENCE_S))
        else:
            self.queues[kind].append(_Job(kind, self.now, seconds, _size(kind, seconds)))

    def _begin(self, course: Course) -> None:
        """First come, first served, as the pace does."""
        while any(self.queues.values()):
            kind = min((kind for kind in self.queues if self.queues[kind]), key=lambda one: self.queues[one][0].arrived)
            queue = self.queues[kind]
            if self.governed:
                if self.now - queue[0].arrived > PATIENCE_S:
                    course.images_power += kind == "image"
                    self.waits.append((self.now, PATIENCE_S))
                    queue.popleft()
                    continue
                if round(self.now / STEP_S) % 2 or not self.allowance.fits(kind, self.now, queue[0].size):
                    return
            job = queue.popleft()
            job.left_s *= self._size(kind)
            if self.governed:
                job.work = self.allowance.begin(kind, self.now, job.size)
                self.waits.append((self.now, self.now - job.arrived))
            course.waited_s += (self.now - job.arrived) * (kind == "image")
            self.running.append(job)

    def _size(self, kind: str) -> float:
        rung = self.rung
        lighter = LIGHTER if rung.light else 1.0
        return lighter * (1.0 - DETECTS + DETECTS * rung.pixels) if kind == "image" else lighter

    def _work(self, course: Course) -> float:
        """What runs goes on, and what that draws."""
        board = self.board
        photos = sum(job.kind == "image" for job in self.running)
        sounds = len(self.running) - photos
        busy = min(1.0, ALONE * photos)
        words = min(self.words_s, STEP_S)
        self.words_s -= words
        watts = board.idle_w + self.chip.leak_w() + board.camera_w * self.rung.camera
        watts += busy * board.heavy_w + min(sounds, 2) * board.audio_w + words / STEP_S * board.text_w
        for job in tuple(self.running):
            job.left_s -= STEP_S * (busy / photos / ALONE if job.kind == "image" else 1.0)
            if job.left_s <= 0:
                self.running.remove(job)
                if job.work is not None:
                    self.allowance.end(job.work, self.now + STEP_S)
                course.images_read += job.kind == "image"
                course.recordings_heard += job.kind == "audio"
        return watts

    def _account(self, course: Course, watts: float) -> None:
        course.joules += watts * STEP_S
        self.recent.append(watts)
        if len(self.recent) == self.recent.maxlen:
            mean = sum(self.recent) / len(self.recent)
            course.most_mean_w = max(course.most_mean_w, mean)
            course.over_budget_s += STEP_S * (mean > LIMITS.budget_w)
        celsius = self.chip.celsius
        course.most_celsius = max(course.most_celsius, celsius)
        course.above_ceiling_s += STEP_S * (celsius > LIMITS.ceiling_c)
        course.above_critical_s += STEP_S * (celsius > LIMITS.critical_c)
        course.levels_s[self.level] += STEP_S

    def _measure(self, watts: float) -> None:
        """A reading every READ_S, of the mean in between, with the sensor's noise."""
        self.read.append(watts)
        if len(self.read) == round(READ_S / STEP_S):
            seen = sum(self.read) / len(self.read) * self.noise.gauss(1.0, NOISE)
            self.allowance.note([Span(self.now - READ_S, self.now, self.seen_w or seen, seen)])
            self.read, self.seen_w = [], seen

    def _look(self, course: Course) -> None:
        mean = sum(self.recent) / len(self.recent)
        course.trace.append((self.now, mean, self.chip.celsius, self.level))
        if not self.governed:
            return
        while self.waits and self.now - self.waits[0][0] > LATELY_S:
            self.waits.popleft()
        waiting = [self.now - job.arrived for queue in self.queues.values() for job in queue]
        waited = max((*waiting, *(wait for _, wait in self.waits)), default=0.0)
        known = mean if len(self.recent) * STEP_S >= WINDOW_S / 2 else None
        celsius = round(self.chip.celsius * 32) / 32  # as the sensors say it
        step = self.governor.look(Reading(known, celsius, (), waited))
        if step is not None:
            self.level = step.after
            course.steps.append(step)
            course.downs += step.direction == "down"
            course.ups += step.direction == "up"
            if step.after > DEEPEST:
                for kind, queue in self.queues.items():
                    course.images_heat += len(queue) * (kind == "image")
                    queue.clear()
        self.allowance.share = room(celsius, LIMITS, self.allowance.share)
        self.allowance.level = min(self.level, DEEPEST)


def _size(kind: str, seconds: float) -> float:
    """What is known of a request before it is worked on: how long a recording is, and nothing of a photo."""
    return seconds if kind == "audio" else 1.0


def simulate(board: str, scenario: str, *, seconds: float = HOUR_S, seed: int = 1, governed: bool = True) -> Course:
    """One run."""
    return House(BOARDS[board], SCENARIOS[scenario], seed, seconds, governed).run()


def verdict(course: Course) -> list[str]:
    """What is wrong with a governed run; empty when nothing is."""
    run, wrong = f"{course.board}, {course.scenario}", []
    hours = max(1.0, course.seconds / HOUR_S)
    if course.most_mean_w > LIMITS.budget_w:
        wrong.append(
            f"{run}: expected at most {LIMITS.budget_w:g} W in any 10 s, got {course.most_mean_w:.2f} W "
            f"({course.over_budget_s:.1f} s above)"
        )
    if not SCENARIOS[course.scenario].hopeless:
        if course.most_celsius > LIMITS.critical_c:
            wrong.append(f"{run}: expected at most {LIMITS.critical_c:g} degrees, got {course.most_celsius:.1f}")
        if course.above_ceiling_s > ABOVE_S * hours:
            wrong.append(f"{run}: expected at most {ABOVE_S:g} s above the ceiling, got {course.above_ceiling_s:.0f} s")
    elif course.images_heat == 0:
        wrong.append(f"{run}: expected photos to be refused for heat, got none")
    if len(course.steps) > bound(DEEPEST) * hours:
        wrong.append(f"{run}: expected at most {bound(DEEPEST)} steps, got {len(course.steps)}")
    if course.words_answered != course.words_asked or not course.words_asked:
        wrong.append(f"{run}: expected every question answered, got {course.words_answered} of {course.words_asked}")
    return wrong


def plot(folder: Path, name: str, governed: Course, ungoverned: Course) -> Path:
    """A picture of one run, with and without the governor."""

    def line(course: Course, column: int) -> list[tuple[float, float]]:
        return [(row[0] / 60, float(row[column])) for row in course.trace[::EVERY]]

    panels = (
        Panel("W, mean of 10 s", (line(ungoverned, 1), line(governed, 1)), (LIMITS.budget_w,)),
        Panel("degrees", (line(ungoverned, 2), line(governed, 2)), (LIMITS.ceiling_c, LIMITS.critical_c)),
        Panel("level", ((), line(governed, 3))),
    )
    title = f"{governed.board}, simulated\n{SCENARIOS[governed.scenario].about}"
    path = folder / f"governor-{name}.svg"
    draw(path, title, panels, ("without", "with the governor"), "minutes")
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, optionally write, draw and check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--board", action="append", choices=sorted(BOARDS), help="default: all")
    parser.add_argument("--scenario", action="append", choices=list(SCENARIOS), help="default: all")
    parser.add_argument("--seconds", type=float, default=HOUR_S)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path, metavar="FOLDER")
    parser.add_argument("--check", action="store_true")
    chosen = parser.parse_args(arguments)
    if chosen.plot:
        chosen.plot.mkdir(parents=True, exist_ok=True)
    runs, wrong = [], []
    print(f"{'board':>10} {'scenario':>12} {'':>8} {'max W':>6} {'max C':>6} {'steps':>5} {'photos':>11} {'words':>11}")
    for board in chosen.board or BOARDS:
        for scenario in chosen.scenario or SCENARIOS:
            both = []
            for governed in (False, True):
                course = simulate(board, scenario, seconds=chosen.seconds, seed=chosen.seed, governed=governed)
                both.append(course)
                runs.append(course.summary())
                photos = f"{course.images_read:5d}/{course.images_asked:<5d}"
                words = f"{course.words_answered:5d}/{course.words_asked:<5d}"
                print(
                    f"{board:>10} {scenario:>12} {'governed' if governed else 'without':>8} {course.most_mean_w:6.2f} "
                    f"{course.most_celsius:6.1f} {len(course.steps):5d} {photos} {words}",
                    flush=True,
                )
            wrong += verdict(both[1])
            if chosen.plot:
                plot(chosen.plot, f"{board}-{scenario.replace(' ', '-')}", both[1], both[0])
    if chosen.json:
        boards = {name: asdict(BOARDS[name]) for name in chosen.board or BOARDS}
        document = {"machine": describe(), "simulated": True, "seed": chosen.seed, "limits": asdict(LIMITS)}
        document |= {"boards": boards, "runs": runs}
        chosen.json.write_text(json.dumps(document, indent=1), "utf-8")
    for what in wrong if chosen.check else ():
        print(f"FAIL: {what}")
    return int(chosen.check and bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
