"""Which of the ways to measure power this machine has: a board's rails before a processor's counters before none."""

from __future__ import annotations

from pathlib import Path

from appliance.device.power import NoPower, Power, RailPower
from appliance.device.rails import find_rails, whole
from appliance.device.rapl import find_counters

ROOT = Path("/")


def find_power(root: Path = ROOT) -> Power:
    """What measures the power of the machine under `root`; NoPower with its reason where nothing does. Never raises."""
    rails = find_rails(root)
    supply = whole(rails)
    if supply is not None:
        return RailPower(supply[1], supply[0].covers)
    if rails:
        labels = ", ".join(rail.name for rail in rails)
        return NoPower(
            (
                f"不知道哪几路电源之和代表整机：本机标签为 {labels}",
                f"it is not known which of these rails make up the whole board: {labels}",
            )
        )
    return find_counters(root)
