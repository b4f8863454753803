"""Simulated boards: what they draw by what they do, and how warm they get by what they draw.

Power is that at rest, leakage that grows with warmth, and what each activity adds. Heat flows from the chip into the
heat sink and from there into the air: two masses, two resistances, and a fan that may fail. Where a figure is
published, its source is named in `sources`; the others are assumptions, named in `assumptions`. A simulation shows that
a control works on machines of this kind, never what a board of one's own draws: not yet measured on hardware.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_PICOCLUSTER = "picocluster-claw.com/reference/benchmarks, Orin Nano Super 8GB, JetPack 6.2 (read 2026-11-30)"
_FORUM = "forums.developer.nvidia.com/t/323456, stress tests on AGX Orin"
_TRIPS = "trip points of tj-thermal in published device trees: passive 99 degrees, critical 104.5"


@dataclass(frozen=True, slots=True)
class SimulatedBoard:
    """What a board draws and how it warms."""

    name: str
    """For people."""
    idle_w: float
    """Watts while nothing runs."""
    heavy_w: float
    """Watts that networks add while the accelerator is never idle."""
    audio_w: float
    """Watts that a recogniser adds on the CPU."""
    text_w: float
    """Watts that answering words adds while it is done."""
    camera_w: float
    """Watts of a camera at its full rate."""
    speed: float
    """How fast a photo is read, against the Orin Nano."""
    sink_k_per_w: float
    """Degrees by which the heat sink is warmer than the air, by watt, with its fan."""
    chip_k_per_w: float
    """Degrees by which the chip is warmer than the heat sink, by watt."""
    sink_j_per_k: float
    """Heat that warms the heat sink by a degree."""
    chip_j_per_k: float
    """Heat that warms the chip by a degree."""
    sources: tuple[str, ...]
    """Where the published figures are from."""
    assumptions: tuple[str, ...]
    """What is assumed."""


FAN_FAILED = 3.0
"""By how much the heat sink's resistance grows when its fan stands still: an assumption, for a sink made for a fan."""
LEAK_PER_K = 0.004
"""Share of the power at rest that each degree above LEAK_FROM_C adds: an assumption."""
LEAK_FROM_C = 50.0

_THERMAL = (
    "chip to sink 0.25 K/W and 12 J/K",
    f"a failed fan makes the sink's resistance {FAN_FAILED:g} times as large",
    f"leakage adds {LEAK_PER_K:.1%} of the power at rest by degree above {LEAK_FROM_C:g}",
)

ORIN_NANO = SimulatedBoard(
    name="Orin Nano 8GB (MAXN_SUPER)",
    idle_w=5.7,
    heavy_w=11.2,
    audio_w=3.4,
    text_w=3.4,
    camera_w=1.5,
    speed=1.0,
    sink_k_per_w=1.12,
    chip_k_per_w=0.25,
    sink_j_per_k=72.0,
    chip_j_per_k=12.0,
    sources=(
        f"{_PICOCLUSTER}: 5.7 W at rest, 16.9 W at the peak of inference, 9.1 W with six cores under stress",
        "the same: 49.7 degrees at rest and 67.5 under 17.2 to 20.2 W give 1.37 K/W from chip to air; the peak after "
        "about 4 min a time constant of 80 s",
        _TRIPS,
    ),
    assumptions=("a camera draws 1.5 W", *_THERMAL),
)
ORIN_NX = SimulatedBoard(
    name="Orin NX 16GB (25 W mode)",
    idle_w=6.2,
    heavy_w=17.0,
    audio_w=4.0,
    text_w=4.0,
    camera_w=1.5,
    speed=1.5,
    sink_k_per_w=1.12,
    chip_k_per_w=0.25,
    sink_j_per_k=72.0,
    chip_j_per_k=12.0,
    sources=("NVIDIA's data sheet of the Orin NX series: 10 to 25 W for the module", _TRIPS),
    assumptions=(
        "6.2 W at rest, and that networks bring it to the 25 W of its mode",
        "cooled like the Orin Nano, whose footprint it has",
        "1.5 times as fast as the Orin Nano",
        "a camera draws 1.5 W",
        *_THERMAL,
    ),
)
AGX_ORIN = SimulatedBoard(
    name="AGX Orin 64GB (MAXN)",
    idle_w=7.1,
    heavy_w=38.0,
    audio_w=6.0,
    text_w=6.0,
    camera_w=1.5,
    speed=3.0,
    sink_k_per_w=0.6,
    chip_k_per_w=0.15,
    sink_j_per_k=250.0,
    chip_j_per_k=25.0,
    sources=(
        "rails of a published line of tegrastats at rest, as in tests/device/boards.py: 7.1 W",
        f"{_FORUM}: 40.4 W of the GPU's rail at its peak in MAXN, of which 2.4 W are there at rest",
        _TRIPS,
    ),
    assumptions=(
        "sink to air 0.6 K/W and 250 J/K, chip to sink 0.15 K/W and 25 J/K",
        "3 times as fast as the Orin Nano; 6 W for a few busy cores, of 15.2 W for all of them",
        "a camera draws 1.5 W",
        *_THERMAL[1:],
    ),
)
BOARDS = {"orin-nano": ORIN_NANO, "orin-nx": ORIN_NX, "agx-orin": AGX_ORIN}
"""Every simulated board."""


class Chip:
    """The temperatures of one board, step by step."""

    def __init__(self, board: SimulatedBoard, ambient_c: float) -> None:
        """A board that has been at rest for long."""
        self._board = board
        self.sink_c = ambient_c + board.idle_w * board.sink_k_per_w
        self.celsius = self.sink_c + board.idle_w * board.chip_k_per_w

    def leak_w(self) -> float:
        """What warmth adds to the power at rest."""
        return self._board.idle_w * LEAK_PER_K * max(0.0, self.celsius - LEAK_FROM_C)

    def warm(self, watts: float, ambient_c: float, seconds: float, *, fan: bool = True) -> None:
        """Draw `watts` for so long: the exact solution of each mass while the other one stands still."""
        board = self._board
        outward = board.sink_k_per_w * (1.0 if fan else FAN_FAILED)
        flow = (self.celsius - self.sink_c) / board.chip_k_per_w
        chip_end = self.sink_c + watts * board.chip_k_per_w
        sink_end = ambient_c + flow * outward
        self.celsius = chip_end + (self.celsius - chip_end) * math.exp(
            -seconds / (board.chip_k_per_w * board.chip_j_per_k)
        )
        self.sink_c = sink_end + (self.sink_c - sink_end) * math.exp(-seconds / (outward * board.sink_j_per_k))
