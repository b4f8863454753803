"""What goes wrong in a lower room reaches the log: the listener that writes it down, beside the one that counts."""

from __future__ import annotations

import logging

from appliance.listener import Listener
from appliance.vision.frame import UNWELL

log = logging.getLogger("appliance")

TROUBLE = frozenset(
    {
        "backend_lent",
        "backend_lost",
        "backend_preferred",
        "backend_restored",
        "backend_switched",
        "backend_tend_failed",
        "recognisers_look_failed",
        "batch_retried",
        "clock_stepped",
        "bundles.damaged",
        "bundles.gave_up",
        "bundles.unusable",
        "bundles.unwritable",
        "close_failed",
        "deadline_exceeded",
        "governor_failed",
        "governor_knob",
        "governor_problem",
        "governor_step",
        "log_checkpoint",
        "log_memory",
        "log_replaced",
        "look_failed",
        "power_alarm",
        "power_back",
        "power_observer_failed",
        "power_unreadable",
        "sweep_failed",
    }
)
"""Events that a maintainer has to read about; none carries a customer's words."""


def journal(counted: Listener) -> Listener:
    """A listener that passes every event on to `counted` and logs those of TROUBLE, failed runs and a lost camera."""

    def listener(event: str, /, **fields: object) -> None:
        counted(event, **fields)
        failed = event == "inference" and not fields.get("ok", True)
        blind = event == "camera" and fields.get("state") in UNWELL
        if event in TROUBLE or failed or blind:
            said = " ".join(f"{name}={value}" for name, value in fields.items())
            log.warning("%s %s", event, said, extra={"about": event})

    return listener
