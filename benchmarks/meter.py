"""What it costs to read power: CPU seconds of the meter's thread as a share of a core.

`python -m benchmarks.meter [--root FOLDER | --board NAME] [--seconds S] [--every S] [--check] [--json OUT]` reads the
power of a board as the appliance does, five times a second and at the beginning and end of each piece of work, divides
it among those, and looks at everything else (temperatures, clocks, mode, alarms) once a second. It prints the CPU
seconds of the meter's thread, of the looks, and of the divided work, and their sum as a share of a core. `--check`
exits 1 when that is above 0.5 %, or when nothing could be read.

Without `--root` a tree of files is read that has what the board NAME has (default orin-nano): that measures Python and
the kernel's files, and not the I2C bus, whose readings take half a millisecond each, most of it waiting. On a Jetson:
`--root /`. Not yet measured on hardware.

`--turns RATE` measures instead what a kiosk never sees: so many text turns a second, each billed in five stretches,
on a clock of its own. Printed is what the division takes in the requests' threads and in the meter's, and whether idle,
shared and rest sum up to what was drawn; `--check` exits 1 when they are off by more than 2 %; CPU has no limit here.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from appliance.device.bill import Bill
from appliance.device.energy import Sharing
from appliance.device.look import Watch
from appliance.device.meter import EVERY_S, Meter
from appliance.device.source import find_power
from appliance.device.trace import Span
from benchmarks.machine import describe
from tests.device.boards import BOARDS

SHARE = 0.005
"""Limit of the CPU seconds in a second."""
WORK_S = 0.3
"""Length of a piece of work, of which one follows the other."""
TURN_S = 0.001
"""Length of a text turn."""
APART = 0.02
"""By which the sums may be off."""


@contextmanager
def tree(root: Path | None, board: str) -> Iterator[Path]:
    """`root`, or a folder with the files of `board`."""
    if root is not None:
        yield root
        return
    with tempfile.TemporaryDirectory() as folder:
        yield BOARDS[board](Path(folder))


def measure(root: Path, seconds: float, every_s: float) -> dict[str, Any]:
    """Read `root` for `seconds` and say what that took."""
    meters: list[Meter] = []
    sharing = Sharing(refresh=lambda: meters[0].sample())
    watch = Watch(root, fresh_s=0.0)
    looks = looks_s = works = works_s = 0.0
    with Meter(lambda: find_power(root), every_s=every_s, observers=[sharing.observe]) as meter:
        meters.append(meter)
        began = time.monotonic()
        while (passed := time.monotonic() - began) < seconds:
            before = time.thread_time()
            if passed >= looks:
                watch.now()
                looks += 1
                looks_s += time.thread_time() - before
            before = time.thread_time()
            work = sharing.begin("work")
            works_s += time.thread_time() - before
            time.sleep(WORK_S)
            before = time.thread_time()
            sharing.end(work)
            sharing.energy(work)
            works_s += time.thread_time() - before
            works += 1
        passed = time.monotonic() - began
        energy, health = meter.energy(began, began + passed), meter.health
    meter_s = meter.cpu_s
    return {
        "source": health.source,
        "reason": health.reason,
        "seconds": round(passed, 1),
        "covered_s": round(energy.covered_s, 1),
        "joules": round(energy.joules, 2),
        "looks": int(looks),
        "works": int(works),
        "meter_cpu_s": round(meter_s, 5),
        "looks_cpu_s": round(looks_s, 5),
        "works_cpu_s": round(works_s, 5),
        "share_of_a_core": round((meter_s + looks_s + works_s) / passed, 6),
    }


class _Clock:
    """Seconds that pass when the measurement says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def turns(rate: float, seconds: float) -> dict[str, Any]:
    """Bill `rate` text turns a second for so many seconds of its own clock, and say what that took and summed up to."""
    clock, rng = _Clock(), random.Random(1)
    sharing = Sharing(clock=clock)
    told, drawn, watts = [0.0], 0.0, 6.0
    requests_s = meter_s = 0.0
    for _ in range(round(seconds / EVERY_S)):
        began = clock.now
        arrivals = sorted(began + rng.random() * EVERY_S * 0.99 for _ in range(round(rate * EVERY_S)))
        before = time.thread_time()
        for at in arrivals:
            clock.now = max(clock.now, at)
            bill = Bill(sharing, "turn")
            for stage in ("other", "understand", "other", "answer", "other"):
                bill.turn(stage)
                clock.now += TURN_S / 5
            bill.close(lambda cost: told.append(cost.total.joules))
            bill.known()
        requests_s += time.thread_time() - before
        clock.now = max(clock.now, began + EVERY_S)
        span = Span(began, clock.now, watts, 6.0 + 8.0 * rng.random())
        before = time.thread_time()
        sharing.observe(span)
        meter_s += time.thread_time() - before
        drawn, watts = drawn + span.joules, span.last
    division = sharing.division
    return {
        "turns_per_s": rate,
        "seconds": round(clock.now, 1),
        "requests_cpu_s": round(requests_s, 4),
        "meter_cpu_s": round(meter_s, 4),
        "share_of_a_core": round((requests_s + meter_s) / clock.now, 6),
        "drawn_j": round(drawn, 3),
        "divided_j": round(division.idle_j + division.shared_j + division.rest_j, 3),
        "shared_j": round(division.shared_j, 3),
        "billed_j": round(sum(told), 3),
    }


def summed(result: dict[str, Any]) -> list[str]:
    """What of `turns` does not sum up; empty when all does."""
    pairs = (("drawn_j", "divided_j"), ("shared_j", "billed_j"))
    return [
        f"expected {other} within {APART:.0%} of {one} ({result[one]}), got {result[other]}"
        for one, other in pairs
        if abs(result[one] - result[other]) > APART * result[one]
    ]


def verdict(result: dict[str, Any]) -> list[str]:
    """What is wrong with a measurement; empty when nothing is."""
    wrong = []
    if result["share_of_a_core"] > SHARE:
        wrong.append(f"expected at most {SHARE:.1%} of a core, got {result['share_of_a_core']:.2%}")
    if result["covered_s"] < 0.9 * result["seconds"]:
        wrong.append(f"expected power for all of the time, got {result['covered_s']} of {result['seconds']} s")
    return wrong


def main() -> int:
    """Measure, print, optionally write and check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="read this machine or tree; / for the board itself")
    parser.add_argument("--board", choices=sorted(BOARDS), default="orin-nano")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--every", type=float, default=EVERY_S)
    parser.add_argument("--turns", type=float, metavar="RATE", help="bill so many text turns a second instead")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    if arguments.turns:
        return _turns(arguments)
    with tree(arguments.root, arguments.board) as root:
        result = measure(root, arguments.seconds, arguments.every)
    read = str(arguments.root) if arguments.root is not None else f"files of {arguments.board}"
    source, covered, seconds = result["source"], result["covered_s"], result["seconds"]
    print(f"{read}: {source}, {covered} of {seconds} s covered {result['reason']}".rstrip())
    for part in ("meter", "looks", "works"):
        taken = result[f"{part}_cpu_s"]
        print(f"{part:>6}: {taken * 1000:8.2f} ms CPU, {taken / seconds:.3%} of a core")
    print(f"   all: {result['share_of_a_core']:.3%} of a core (limit {SHARE:.1%})")
    if arguments.json:
        document = {"machine": describe(), "read": read, "every_s": arguments.every, "limit": SHARE, **result}
        arguments.json.write_text(json.dumps(document, indent=1), "utf-8")
    wrong = verdict(result)
    for what in wrong if arguments.check else ():
        print(f"FAIL: {what}")
    return int(arguments.check and bool(wrong))


def _turns(arguments: argparse.Namespace) -> int:
    result = turns(arguments.turns, arguments.seconds)
    for part in ("requests", "meter"):
        print(f"{part:>8}: {result[f'{part}_cpu_s'] / result['seconds']:.3%} of a core")
    print(f"     all: {result['share_of_a_core']:.3%} of a core at {arguments.turns:g} turns a second")
    print(f"  joules: {result['drawn_j']} drawn, {result['divided_j']} divided, {result['billed_j']} billed")
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": describe(), **result}, indent=1), "utf-8")
    wrong = summed(result)
    for what in wrong if arguments.check else ():
        print(f"FAIL: {what}")
    return int(arguments.check and bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
