"""The composition root: builds everything from settings; nothing else wires rooms together."""

from __future__ import annotations

from appliance.app.appliance import Appliance
from appliance.app.build import build

__all__ = ["Appliance", "build"]
