"""The thread that reads power: what it keeps, and what it survives."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.device.energy import Sharing
from appliance.device.idle import Idle
from appliance.device.meter import Meter
from appliance.device.power import NoPower, Power
from appliance.device.source import find_power
from appliance.device.trace import Energy, Span
from tests.device.boards import orin_nano, pc, write
from tests.device.test_energy import Clock, Heard


class Line(Power):
    """Some watts that a test sets; raises what it is told to raise."""

    name, covers, available = "line", ("线", "line"), True

    def __init__(self, watts: float = 5.0) -> None:
        self.watts, self.error, self._before = watts, None, None
        self.looks = 0

    def span(self, clock: Callable[[], float]) -> Span | None:
        self.looks += 1
        before, self._before = self._before, None
        if self.error is not None:
            raise self.error
        self._before = clock(), self.watts
        return None if before is None else Span(before[0], self._before[0], before[1], self.watts)


def meter(find: Callable[[], Power], clock: Clock, **options) -> Meter:
    return Meter(find, clock=clock, **options)


def turn(of: Meter, clock: Clock, seconds: float = 1.0) -> bool:
    """Time passes and the thread has its turn."""
    clock.now += seconds
    with of._reading:
        return of._read()


def test_mean_and_energy_of_what_was_read() -> None:
    clock, line = Clock(), Line(4.0)
    of = meter(lambda: line, clock)
    turn(of, clock)
    line.watts = 8.0
    turn(of, clock, 0.5)
    turn(of, clock, 0.5)
    assert of.watts == 8.0
    assert of.energy(1.0, 2.0) == Energy(7.0, 1.0, 1.0)
    assert of.mean_watts(1.0) == 7.0
    assert of.mean_watts(0.5) == 8.0
    assert of.spans(1.75, 9.0) == [Span(1.75, 2.0, 8.0, 8.0)]
    assert of.health.failures == 0
    clock.now += 1.0
    assert of.watts is None, "a second ago is not now"
    assert of.mean_watts(1.9) is None, "less than half of it was read"


def test_a_reading_on_demand_is_not_repeated_at_once() -> None:
    clock, line = Clock(), Line()
    of = meter(lambda: line, clock)
    assert of.sample()
    clock.now = 0.01
    assert of.sample()
    assert line.looks == 1
    clock.now = 0.06
    assert of.sample()
    assert of.energy(0.0, 0.06).complete


def test_nobody_waits_for_a_reading_that_hangs() -> None:
    clock, line = Clock(), Line()
    of = meter(lambda: line, clock)
    with of._reading:
        assert not of.sample()
    assert line.looks == 0
    assert of.sample()


class Hanging(Line):
    """A reading that ends when it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go = threading.Event(), threading.Event()

    def span(self, clock: Callable[[], float]) -> Span | None:
        self.begun.set()
        assert self.go.wait(20)
        return super().span(clock)


def test_a_reading_that_does_not_end_is_no_good_health_and_costs_no_request_a_wait() -> None:
    clock, line = Clock(), Hanging()
    of = meter(lambda: line, clock)
    with of:
        assert line.begun.wait(20)
        assert of.health.failures == 0
        clock.now = 7.0
        assert (of.health.failures, of.health.reason) == (1, "line: one reading takes 7 s and has not ended")
        lock, of._reading = of._reading, Refusing()
        assert not of.sample()
        of._reading = lock
        line.go.set()
    assert of.health.reason == ""


def test_a_reading_that_hangs_first_at_the_end_of_a_request_does_not_hang_there() -> None:
    line = Hanging()
    line.go.set()
    with Meter(lambda: line, every_s=1.0) as of:
        while not of._trace.last:
            assert of.sample(0.0), "the thread reads for whoever asks"
        line.go.clear()
        line.begun.clear()
        began = time.monotonic()
        try:
            assert not of.sample(0.0)
            assert time.monotonic() - began < 1.0
            assert line.begun.is_set()
        finally:
            line.go.set()


class Refusing:
    """Stands for a lock that nobody should wait for."""

    def acquire(self, timeout: float) -> bool:
        raise AssertionError(f"waited up to {timeout} s")


def test_a_sensor_that_fails_and_comes_back_is_reported_and_a_gap() -> None:
    clock, line, heard = Clock(), Line(), Heard()
    of = meter(lambda: line, clock, listener=heard)
    for error in (None, None, ZeroDivisionError("of all things"), OSError("gone"), None, None):
        line.error = error
        assert turn(of, clock) == (error is None)
    assert heard == [
        ("power_unreadable", {"source": "line", "reason": "ZeroDivisionError('of all things')"}),
        ("power_back", {"source": "line", "failures": 2}),
    ]
    assert of.energy(0.0, 6.0) == Energy(10.0, 2.0, 6.0)


def test_a_reading_that_is_no_number_does_not_stay_in_every_sum(tmp_path: Path) -> None:
    root, clock = orin_nano(tmp_path), Clock()
    of = meter(lambda: find_power(root), clock)
    for milliamperes in ("1000", "1000", "nan", "1000", "1000"):
        write(root / "sys/class/hwmon/hwmon1", {"curr1_input": milliamperes})
        assert turn(of, clock) == (milliamperes == "1000")
    assert of.energy(0.0, 5.0) == Energy(pytest.approx(2 * 5.072), 2.0, 5.0)


def test_what_has_failed_is_left_to_the_thread(tmp_path: Path) -> None:
    clock, line = Clock(), Line()
    of = meter(lambda: line, clock)
    line.error = OSError("gone")
    turn(of, clock)
    clock.now += 1.0
    assert not of.sample()
    assert line.looks == 1, "nobody waits for a broken sensor at every request"
    assert of.health.reason == "OSError('gone')"
    line.error = None
    assert turn(of, clock)
    clock.now += 1.0
    assert of.sample()


def test_a_driver_that_is_loaded_again_under_another_number_is_found(tmp_path: Path) -> None:
    root, clock, heard = orin_nano(tmp_path), Clock(), Heard()
    of = meter(lambda: find_power(root), clock, listener=heard)
    assert turn(of, clock)
    assert turn(of, clock)
    real = (root / "sys/class/hwmon/hwmon1").resolve()
    real.rename(real.with_name("hwmon9"))
    (root / "sys/class/hwmon/hwmon1").unlink()
    outcomes = [turn(of, clock) for _ in range(5)]
    assert outcomes == [False, False, False, True, True]
    assert of.watts == pytest.approx(9.575936)
    assert [event for event, _ in heard] == ["power_unreadable", "power_back"]
    assert "curr1_input" in str(heard[0][1]["reason"]) or "in1_input" in str(heard[0][1]["reason"])


def test_rails_that_come_later_than_the_appliance(tmp_path: Path) -> None:
    clock, heard = Clock(), Heard()
    of = meter(lambda: find_power(tmp_path), clock, listener=heard)
    assert not turn(of, clock)
    assert not of.sample()
    assert (of.health.source, of._wait()) == ("none", 60.0)
    assert "没有可读的功率传感器" in of.health.covers[0]
    orin_nano(tmp_path)
    assert turn(of, clock)
    assert of.health.source == "VDD_IN"
    assert of._wait() == 0.2


def test_it_waits_longer_the_longer_it_fails() -> None:
    clock, line = Clock(), Line()
    of = meter(lambda: line, clock)
    line.error = OSError("gone")
    waits = []
    for _ in range(12):
        turn(of, clock)
        waits.append(of._wait())
    assert waits[:4] == [0.2, 0.4, 0.8, 1.6]
    assert waits[-1] == 60.0


def test_one_observer_that_fails_takes_nothing_from_the_others() -> None:
    def fail(span: Span) -> None:
        raise KeyError("mine")

    clock, line, heard, seen = Clock(), Line(), Heard(), []
    of = meter(lambda: line, clock, listener=heard, observers=[fail, seen.append])
    turn(of, clock)
    turn(of, clock)
    assert seen == [Span(1.0, 2.0, 5.0, 5.0)]
    assert heard == [("power_observer_failed", {"reason": "KeyError('mine')"})]


def test_neither_a_listener_nor_a_line_out_of_order_ends_the_thread() -> None:
    def deaf(event: str, /, **fields: object) -> None:
        raise OSError("the log is full")

    clock, line = Clock(), Line()
    of = meter(lambda: line, clock, listener=deaf, observers=[lambda span: 1 / 0])
    turn(of, clock)
    assert turn(of, clock), "an observer that fails, and nobody to tell"
    line._before = 0.5, 5.0  # a span that begins before the last one ended
    assert not turn(of, clock)
    assert "expected a span after" in of.health.reason
    assert turn(of, clock)
    assert of.health.failures == 0


def test_a_processors_counter_gives_its_mean(tmp_path: Path) -> None:
    root, clock = pc(tmp_path), Clock()
    of = meter(lambda: find_power(root), clock)
    turn(of, clock)
    write(root / "sys/class/powercap/intel-rapl:0", {"energy_uj": 31_000_000})
    turn(of, clock, 2.0)
    assert of.energy(1.0, 3.0).joules == pytest.approx(30.0)
    assert of.energy(1.0, 2.0).joules == pytest.approx(15.0)


def test_what_is_old_is_let_go() -> None:
    clock, line = Clock(), Line()
    of = meter(lambda: line, clock, keep_s=10.0)
    for _ in range(100):
        turn(of, clock)
    assert of.energy(0.0, 100.0).covered_s == pytest.approx(10.0, abs=1.0)


def test_the_thread_reads_shares_and_ends(tmp_path: Path) -> None:
    root, there = orin_nano(tmp_path), threading.Event()
    sharing = Sharing(Idle(least=1))
    seen: list[Span] = []

    def see(span: Span) -> None:
        seen.append(span)
        if len(seen) == 3:
            there.set()

    with Meter(lambda: find_power(root), every_s=0.01, observers=[sharing.observe, see]) as of:
        assert there.wait(20)
        assert of.watts == pytest.approx(9.575936)
    assert not any(thread.name == "power-meter" for thread in threading.enumerate())
    whole = of.energy(seen[0].begin, seen[-1].end)
    assert whole.complete
    division = sharing.division
    assert division.idle_j + division.rest_j + division.shared_j == pytest.approx(whole.joules)
    assert 0 < of.cpu_s < 5
    with pytest.raises(RuntimeError):
        of.start()


def test_work_is_measured_to_its_end_by_reading_once_more(tmp_path: Path) -> None:
    root, clock = orin_nano(tmp_path), Clock()
    met: list[Meter] = []
    sharing = Sharing(Idle(least=1), refresh=lambda: met[0].sample(), clock=clock)
    met.append(meter(lambda: find_power(root), clock, observers=[sharing.observe]))
    for _ in range(4):
        turn(met[0], clock)
    write(root / "sys/class/hwmon/hwmon1", {"curr1_input": 2888})
    with sharing.measure("look") as work:
        clock.now += 0.1
    cost = sharing.energy(work)
    assert cost.complete
    assert cost.joules == pytest.approx(0.5 * 0.1 * 5.072), "1 A more, by a straight line from the reading before"


@pytest.mark.parametrize("options", [{"every_s": 0.0}, {"every_s": 0.5, "keep_s": 0.2}, {"every_s": 3.0}])
def test_options_that_make_no_sense(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="meter: expected"):
        Meter(lambda: NoPower(("", "")), **options)


def test_closing_what_never_began() -> None:
    Meter(lambda: NoPower(("", ""))).close()


def test_a_nudge_has_the_thread_read_at_once_and_not_too_often() -> None:
    line, observed = Line(4.0), threading.Semaphore(0)
    with Meter(lambda: line, every_s=1.0, observers=[lambda _: observed.release()]) as of:
        while line.looks < 1:
            threading.Event().wait(0.005)
        threading.Event().wait(0.06)
        of.nudge()
        assert observed.acquire(timeout=0.5), "long before the thread's turn"
        for _ in range(100):
            of.nudge()
        threading.Event().wait(0.02)
        assert line.looks == 2, "a reading as young as this is not read again"
        line.error = OSError("the bus is gone")
        threading.Event().wait(0.06)
        of.nudge()
        while of.health.failures < 1:
            threading.Event().wait(0.005)
        for _ in range(100):
            of.nudge()
        threading.Event().wait(0.06)
        assert line.looks == 3, "nobody hurries a broken sensor"


def test_a_throng_of_short_requests_does_not_keep_the_thread_reading() -> None:
    clock, line = Clock(), Line()
    of = meter(lambda: line, clock)
    woken = 0
    for _ in range(500):  # 10 ms apart, for 5 s, on a meter whose thread reads whenever it is woken
        turn(of, clock, 0.01) if of._wanted.is_set() or of._read_at is None else None
        of._wanted.clear()
        clock.now += 0.01
        of.nudge()
        woken += of._wanted.is_set()
    assert 20 <= woken <= 26, "once in the 0.2 s between two turns, and no less often either"
