"""Power, heat and clocks of the board among the metrics."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from typing import Any

from appliance.metrics.family import Families, number


class Board:
    """Takes over what the status says of the machine. Thread-safe."""

    def __init__(self, families: Families) -> None:
        """Nothing is known yet, which is no figure."""
        self._families = families
        for unknown in ("appliance_power_idle_watts", "appliance_gpu_load", "appliance_look_age_seconds"):
            families.at(unknown).set(math.nan)  # 0 would be a figure
        self._energy: dict[str, float] = {}
        self._growing = threading.Lock()

    def look(self, device: Mapping[str, Any]) -> None:
        """Set what the board tells. What is no more there becomes NaN: an old figure would pass for a new one."""
        power = device["power"]
        self._families.spread("appliance_power_watts", {power["source"]: power["watts"]} if power["measured"] else {})
        self._families.at("appliance_power_idle_watts").set(number(power["idle_watts"]))
        self._grow(device["energy"])
        if device["look_age_s"] is None:
            return
        self._families.at("appliance_look_age_seconds").set(device["look_age_s"])
        self._families.spread("appliance_rail_watts", {rail: draw["watts"] for rail, draw in device["rails"].items()})
        self._families.spread("appliance_temperature_celsius", device["celsius"])
        gpu = device["gpu"]
        self._families.at("appliance_gpu_load").set(number(gpu["load"] if gpu is not None else None))

    def _grow(self, energy: Mapping[str, float]) -> None:
        with self._growing:  # two that ask at once must not count one difference twice
            for part in ("idle", "shared", "rest"):
                now = energy[f"{part}_j"]
                grown = now - self._energy.get(part, 0.0)
                if grown >= 0:
                    self._energy[part] = now
                    self._families.at("appliance_energy_joules_total", part).inc(grown)
