"""Minutes of capture by the appliance's own microphone, on a virtual card: what was lost, what of it was said, memory.

What is played in is noise that repeats every eight seconds, so that where a second of what arrives lies in it is known
to the sample: every shift is sound that was lost (or silence that the player put in), whether anybody said so or not.
`run` needs the card's environment; `python -m benchmarks.voice capture` starts it there.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psutil

from appliance.speech.microphone import Microphone
from appliance.speech.resample import RATE
from benchmarks.observe import slope_per_hour
from benchmarks.speech.noise import Samples

SHIFT_S = 0.002
"""Smallest shift that counts as a loss: two clocks part by less in a second."""
SECOND, PERIOD = RATE, 8 * RATE
FITS = 0.9
"""Share of the seconds in which the pattern has to be found, or nothing was measured."""
REPORT_S = 5.0


def pattern() -> Samples:
    """Eight seconds that do not repeat in themselves."""
    return (0.1 * np.random.default_rng(5).standard_normal(PERIOD)).astype(np.float32)


def place(second: Samples, wanted: Samples) -> tuple[int, float]:
    """Where in the repeating pattern `second` begins, in samples, and how well it fits there, 0 to 1."""
    padded = np.zeros(PERIOD, np.float32)
    padded[: len(second)] = second
    matched = np.fft.irfft(np.fft.rfft(wanted) * np.conj(np.fft.rfft(padded)), PERIOD)
    best = int(matched.argmax())
    there = wanted.take(range(best, best + len(second)), mode="wrap")
    return best, float(matched[best] / (np.linalg.norm(second) * np.linalg.norm(there) + 1e-12))


@dataclass
class Captured:
    """What came of it."""

    seconds: float = 0.0
    """Sound that arrived."""
    fitting: float = 0.0
    """Seconds of it in which the pattern was found."""
    wall_s: float = 0.0
    """Time that passed."""
    shifts: list[dict[str, float]] = field(default_factory=list)
    """Jumps in the pattern: at (seconds), by (seconds; above 0 is sound that is missing)."""
    losses: list[dict[str, Any]] = field(default_factory=list)
    """What the microphone said of losses: at, cause, seconds."""
    rss: list[tuple[float, float]] = field(default_factory=list)
    """Seconds, MB."""
    cpu_s: float = 0.0
    """CPU seconds of the process."""


def run(minutes: float, at: Callable[[str], None]) -> Captured:
    """Listen for `minutes` to the pattern that somebody plays into the default microphone."""
    found, wanted, process = Captured(), pattern(), psutil.Process()
    began = time.monotonic()

    def listener(event: str, /, **told: Any) -> None:
        if event == "microphone_loss":
            found.losses.append({"at": round(time.monotonic() - began, 1), **told})

    before: int | None = None
    waiting = np.zeros(0, np.float32)
    with Microphone(listener=listener) as microphone:
        while (now := time.monotonic() - began) < minutes * 60:
            waiting = np.concatenate((waiting, microphone.read(0.2)))
            while len(waiting) >= SECOND:
                where, fits = place(waiting[:SECOND], wanted)
                waiting = waiting[SECOND:]
                found.seconds += 1
                last, before = before, None if before is None else before + SECOND
                if fits < 0.5:  # the pattern has not begun, or a jump lies in this second: the next one tells
                    continue
                found.fitting += 1
                if last is not None and before is not None:
                    moved = (where - before + PERIOD // 2) % PERIOD - PERIOD // 2
                    if abs(moved) > SHIFT_S * RATE:
                        found.shifts.append({"at": round(now, 1), "by": round(moved / RATE, 4)})
                before = where
            if not found.rss or now - found.rss[-1][0] >= REPORT_S:
                found.rss.append((round(now, 1), process.memory_info().rss / 1e6))
                at(f"{now / 60:.1f} of {minutes:g} minutes, {len(found.shifts)} jumps")
    found.wall_s = time.monotonic() - began
    times = process.cpu_times()
    found.cpu_s = times.user + times.system
    return found


def played(minutes: float, at: Callable[[str], None]) -> dict[str, Any]:
    """Run in a process of its own on a card of its own, into whose microphone the pattern is played."""
    from tests.soundcard import SoundCard

    sound = (pattern() * 32767).astype("<i2").tobytes()
    with SoundCard() as card:
        player = card.spawn(
            "pacat", "--playback", "--device=mic", "--format=s16le", f"--rate={RATE}", "--channels=1", "--raw",
            stdin=subprocess.PIPE,
        )  # fmt: skip
        assert player.stdin is not None
        pipe = player.stdin

        def feed() -> None:
            try:
                while True:
                    pipe.write(sound)
            except OSError:  # the card is gone
                return

        threading.Thread(target=feed, daemon=True).start()
        child = card.spawn(
            sys.executable, "-m", "benchmarks.voice.capture", str(minutes), stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        found: dict[str, Any] = {}
        for line in child.stdout:
            said = json.loads(line)
            if "result" in said:
                found = said["result"]
            else:
                at(said["at"])
        if child.wait() or not found:
            raise SystemExit(f"expected a capture to its end, got exit code {child.returncode}")
    half = found["rss"][-1][0] / 3
    settled = [(second, mb) for second, mb in found["rss"] if second >= half]
    found["rss_slope_mb_per_hour"] = round(slope_per_hour(settled), 2)
    return found


def missed(found: dict[str, Any]) -> list[str]:
    """Losses that nobody reported."""
    gone = sum(1 for shift in found["shifts"] if shift["by"] > 0)
    wrong = []
    if gone > len(found["losses"]):
        wrong.append(f"capture: expected every loss reported, got {gone} jumps and {len(found['losses'])} reports")
    if found["fitting"] < FITS * found["seconds"]:
        wrong.append(
            f"capture: expected what was played in {found['seconds']:.0f} s, found it in {found['fitting']:.0f}"
        )
    if found["seconds"] < 0.9 * found["wall_s"]:
        wrong.append(f"capture: expected {found['wall_s']:.0f} s of sound, got {found['seconds']:.0f} s")
    return wrong


if __name__ == "__main__":
    captured = run(float(sys.argv[1]), lambda what: print(json.dumps({"at": what}), flush=True))
    print(json.dumps({"result": captured.__dict__}), flush=True)
