"""What goes wrong in a lower room reaches the log: the listener that writes it down, beside the one that counts."""

from __future__ import annotations

import logging

from appliance.listener import Listener

log = logging.getLogger("appliance")

TROUBLE = frozenset(
    {
        "backend_lent",
        "backend_lost",
        "backend_restored",
        "backend_switched",
        "backend_tend_failed",
        "recognisers_look_failed",
        "batch_retried",
        "bundles.damaged",
        "bundles.gave_up",
        "bundles.unusable",
        "bundles.unwritable",
        "close_failed",
        "deadline_exceeded",
        "log_checkpoint",
        "log_memory",
        "log_replaced",
        "sweep_failed",
    }
)
"""Events that a maintainer has to read about; none carries a customer's words."""


def journal(counted: Listener) -> Listener:
    """A listener that passes every event on to `counted` and logs those of TROUBLE and failed runs."""

    def listener(event: str, /, **fields: object) -> None:
        counted(event, **fields)
        if event in TROUBLE or (event == "inference" and not fields.get("ok", True)):
            log.warning("%s %s", event, " ".join(f"{name}={value}" for name, value in fields.items()))

    return listener
