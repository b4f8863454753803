"""The stages' joules sum up to what the rail gave, through all that is wired, while requests overlap."""

from __future__ import annotations

import random
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from appliance.app.appliance import Appliance
from appliance.app.board import Instruments
from appliance.app.build import build
from appliance.device.bill import Bill, Cost, stage
from appliance.device.recording import Recording, read
from appliance.inference.fake import FakeBackend
from appliance.inference.scheduler import Scheduler
from appliance.settings import Settings
from appliance.specs import ModelSpec
from appliance.values import Joules, OcrLine, OcrResult, Transcript
from tests.app.test_appliance import Heard, replace_rooms
from tests.app.test_board import until
from tests.app.traces import FOLDER, IDLE_W
from tests.device.boards import orin_nano
from tests.device.test_energy import Clock
from tests.inference.tiny_networks import AFFINE

CURRENT = "sys/class/hwmon/hwmon1/curr1_input"
VOLTS = 5.072
LIMIT = 0.02
"""Of the rail's integral, by which the sums may be off."""
FINE_S = 0.001
"""Steps of the independent sums."""


class Supply:
    """A rail of a board's files whose power is set: one value after the other, each put there whole."""

    def __init__(self, root: Path) -> None:
        self._file = (root / CURRENT).resolve()

    def give(self, watts: float) -> None:
        part = self._file.with_name(f".{self._file.name}")
        part.write_text(f"{watts / VOLTS * 1000:.3f}\n", "utf-8")
        part.replace(self._file)


class Line:
    """Power between the readings of a recording."""

    def __init__(self, recording: Recording) -> None:
        self.at = [reading.seconds for reading in recording.readings]
        self.watts = [reading.watts or 0.0 for reading in recording.readings]
        self.end = self.at[-1]

    def __call__(self, moment: float) -> float:
        index = bisect_right(self.at, moment)
        if index == 0 or index == len(self.at):
            return self.watts[min(index, len(self.watts) - 1)]
        share = (moment - self.at[index - 1]) / (self.at[index] - self.at[index - 1])
        return self.watts[index - 1] + share * (self.watts[index] - self.watts[index - 1])

    def joules(self, counts: Callable[[float], float], end: float) -> float:
        """The integral of `counts` of each moment, in fine steps and without any of what is tested."""
        steps = round(end / FINE_S)
        return sum(counts((step + 0.5) * FINE_S) for step in range(steps)) * FINE_S


@dataclass
class Visit:
    """One request of a plan: when it comes, and its stages with the seconds that each works after having waited."""

    begin: float
    door: str
    parts: Sequence[tuple[str, float, float]]
    """Stage, seconds of waiting before it, seconds of work."""
    works: list[tuple[float, float]] = field(default_factory=list)
    """When it worked."""

    def steps(self, board: Instruments, kept: list[Cost]) -> Iterator[tuple[float, Callable[[], object]]]:
        """Moments and what happens at them."""
        bills: list[Bill] = []

        def come() -> None:
            bill = board.bills.open(self.door)
            assert bill is not None
            bill.turn(None)
            bills.append(bill)

        yield self.begin, come
        now = self.begin
        for name, wait, work in self.parts:
            now += wait
            yield now, lambda name=name: bills[0].turn(name)
            self.works.append((now, now + work))
            now += work
            yield now, lambda: bills[0].turn(None)
        yield now, lambda: bills[0].close(kept.append)


def visits(chance: random.Random, until_s: float) -> list[Visit]:
    """Customers who overlap, after the board was at rest for three seconds."""
    plan = []
    now = 3.0
    while now < until_s - 8.0:
        now += chance.expovariate(1 / 0.9)
        stages = chance.choice([("decode", "detect", "recognise", "understand"), ("vad", "asr"), ("understand",)])
        parts = [(name, chance.choice((0.0, 0.0, 0.4)), chance.uniform(0.002, 1.2)) for name in stages]
        plan.append(Visit(now, chance.choice(["look", "hear", "turn"]), parts))
    return plan


@pytest.mark.parametrize("recorded", sorted(FOLDER.glob("*.csv")), ids=lambda path: path.stem)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_stages_of_overlapping_requests_sum_up_to_a_recorded_rail(tmp_path: Path, recorded: Path, seed: int) -> None:
    line, chance = Line(read(recorded)), random.Random(seed)
    root, clock, heard, kept = orin_nano(tmp_path), Clock(), Heard(), list[Cost]()
    supply = Supply(root)
    board = Instruments(root, watching=False, listener=heard, clock=clock)

    def look() -> None:
        supply.give(line(clock.now))
        assert board.meter.sample() or clock.now == 0

    plan = visits(chance, line.end)
    due: list[tuple[float, int, Callable[[], object]]] = []
    moment = 0.0
    while moment < line.end:  # the meter's turns: about every 200 ms, as a thread comes to them
        due.append((moment, 0, look))
        moment += chance.uniform(0.19, 0.24)
    for number, visit in enumerate(plan):
        due += [(at, number + 1, step) for at, step in visit.steps(board, kept)]
    for at, _, step in sorted(due, key=lambda one: one[:2]):
        clock.now = min(at, line.end)
        step()
    clock.now = line.end
    look()
    board.settle()

    rail = line.joules(line, line.end)
    busy = _merged([span for visit in plan for span in visit.works])
    drawn = line.joules(lambda now: max(0.0, line(now) - IDLE_W) if _within(busy, now) else 0.0, line.end)
    rest = line.joules(lambda now: max(0.0, line(now) - IDLE_W) if not _within(busy, now) else 0.0, line.end)
    division = board.sharing.division
    stages = sum(sum(fields["stages"].values()) for fields in heard.of("joules"))
    assert len(kept) == len(plan)
    assert stages == pytest.approx(sum(cost.total.joules for cost in kept))
    assert all(cost.net for cost in kept)
    # All of it: what the stages paid, the idle board and what others drew are what the rail gave.
    assert stages + division.idle_j + division.rest_j == pytest.approx(rail, rel=LIMIT)
    # And each of the three for itself, against sums that know neither meter nor sharing.
    assert stages == pytest.approx(drawn, rel=LIMIT)
    assert division.rest_j == pytest.approx(rest, abs=LIMIT * rail)
    assert division.idle_j == pytest.approx(rail - drawn - rest, rel=LIMIT)
    assert max(_at_once(plan)) >= 3, "requests overlapped"


def _merged(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    merged: list[tuple[float, float]] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((begin, end))
    return merged


def _within(spans: Sequence[tuple[float, float]], moment: float) -> bool:
    index = bisect_right(spans, moment, key=lambda span: span[0])
    return index > 0 and moment < spans[index - 1][1]


def _at_once(plan: Sequence[Visit]) -> list[int]:
    spans = [span for visit in plan for span in visit.works]
    return [sum(begin <= other[0] < end for begin, end in spans) for other in spans]


class Feeder(threading.Thread):
    """Lets a rail follow the work of the appliance, as a board does: the more runs, the more is drawn."""

    def __init__(self, supply: Supply) -> None:
        super().__init__(daemon=True)
        self._supply = supply
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._drawn = 0.0
        self.given: list[tuple[float, float]] = []
        self.works: list[tuple[float, float]] = []

    @contextmanager
    def working(self, watts: float) -> Iterator[None]:
        """Something draws this much more in the block."""
        began = time.monotonic()
        with self._lock:
            self._drawn += watts
        try:
            yield
        finally:
            with self._lock:
                self._drawn -= watts
                self.works.append((began, time.monotonic()))

    def run(self) -> None:
        level = IDLE_W
        while not self._over.is_set():
            level += (IDLE_W + self._drawn - level) * 0.08  # clocks, capacitors and the chip's mean smooth it
            self._supply.give(level)
            self.given.append((time.monotonic(), level))
            self._over.wait(0.01)

    def close(self) -> None:
        self._over.set()
        self.join()

    def joules(self, counts: Callable[[float, float], float], begin: float, end: float) -> float:
        """The integral of `counts(moment, watts)` over what was given."""
        total = 0.0
        for (now, watts), (later, _) in zip(self.given, self.given[1:], strict=False):
            if begin <= now < end:
                total += counts(now, watts) * (later - now)
        return total


class Sight:
    """A reader with a network behind the scheduler, and work of its own."""

    def __init__(self, scheduler: Scheduler, feeder: Feeder) -> None:
        def compute(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            with feeder.working(5.0):
                time.sleep(0.5)
            return {"y": inputs["x"] + 1}

        backend = FakeBackend(_alone(AFFINE), compute=compute)
        backend.load()
        self._run = scheduler.bind(backend)
        self._feeder = feeder

    def read(self, image: object, **_: object) -> OcrResult:
        with stage("detect"):
            self._run({"x": np.zeros((1, 3), np.float32)})
        with stage("layout"), self._feeder.working(1.5):
            time.sleep(0.25)
        line = OcrLine("厕所在哪里", 0.9, ((0, 0), (9, 0), (9, 9), (0, 9)))
        return OcrResult((line,), 10, 10, "fake-eye", {"detect": 1.0, "layout": 1.0})


class Ears:
    """A recogniser that works by itself, as Vosk does."""

    def __init__(self, feeder: Feeder) -> None:
        self._feeder = feeder

    def transcribe(self, data: bytes, language: str, **_: object) -> Transcript:
        with stage("asr"), self._feeder.working(3.0):
            time.sleep(0.6)
        return Transcript("厕所在哪里", 0.9, language, engine="fake-ear", timings_ms={"asr": 1.0})


def _alone(spec: ModelSpec) -> ModelSpec:
    """The same network, whose jobs are not joined: each takes its time."""
    return replace(spec, profiles=())


@contextmanager
def serving(tmp_path: Path, heard: Heard) -> Iterator[tuple[Appliance, Feeder]]:
    """An appliance on a board that draws what its work does."""
    root = orin_nano(tmp_path / "root")
    feeder = Feeder(Supply(root))
    feeder.start()
    settings = Settings(
        data_dir=str(tmp_path / "data"), device_root=str(root), governor="off", image_jobs=8, audio_jobs=8
    )
    try:
        with build(settings, senses=(), listener=heard) as appliance:
            board = appliance._rooms.board
            with Scheduler(house=board.bills.house) as scheduler:
                replace_rooms(
                    appliance,
                    reader=Sight(scheduler, feeder),
                    decode=lambda _: (np.zeros((4, 4, 3), np.uint8), (4, 4)),
                    hearing=Ears(feeder),
                )
                until(lambda: board.idle_watts is not None)
                yield appliance, feeder
    finally:
        feeder.close()


def test_an_appliance_at_work_divides_what_its_rail_gives(tmp_path: Path) -> None:
    heard = Heard()
    with serving(tmp_path, heard) as (appliance, feeder):
        board = appliance._rooms.board
        heard.events.clear()
        before, began = board.sharing.division, time.monotonic()
        answers: list[Joules | None] = []
        works = [
            lambda: answers.append(appliance.look(b"photo").joules),
            lambda: answers.append(appliance.hear(b"sound").joules),
            lambda: answers.append(appliance.read(b"photo").joules),
            lambda: answers.append(appliance.transcribe(b"sound").joules),
        ]

        def customer(number: int) -> None:
            time.sleep(0.15 * number)
            for turn in range(2):
                works[(number + turn) % len(works)]()
                time.sleep(0.2)

        threads = [threading.Thread(target=customer, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        time.sleep(1.0)  # and the rail comes to rest
        until(lambda: len(heard.of("joules")) == 12)
        board.settle()
        ended = board.meter.spans(began, time.monotonic())[-1].end
        after, idle = board.sharing.division, board.idle_watts
        stages = sum(sum(fields["stages"].values()) for fields in heard.of("joules"))
        rail = feeder.joules(lambda _, watts: watts, began, ended)
        busy = _merged(feeder.works)
        drawn = feeder.joules(lambda at, watts: max(0.0, watts - IDLE_W) if _within(busy, at) else 0.0, began, ended)
    assert idle == pytest.approx(IDLE_W, rel=0.01)
    assert len(answers) == 12
    assert stages == pytest.approx(after.shared_j - before.shared_j, rel=1e-6)
    assert stages + after.idle_j - before.idle_j + after.rest_j - before.rest_j == pytest.approx(rail, rel=LIMIT)
    assert stages == pytest.approx(drawn, abs=LIMIT * rail)
    known = [answer.total for answer in answers if answer is not None and answer.total is not None]
    assert len(known) == 12, "more than half of each was measured when it ended"
    assert sum(known) == pytest.approx(stages, rel=0.1)
    assert {fields["door"] for fields in heard.of("joules")} == {"look", "hear", "read", "transcribe"}
