"""What work costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Joules:
    """What work cost in energy above the idle board's, as far as that was known at its end.

    The exact figures, which the next reading of the meter tells, are in the metrics and the event log.
    """

    total: float | None
    """Joules of all stages; None when less than half of the work was measured by then: too short for the meter."""
    stages: Mapping[str, float | None]
    """Joules by stage, `other` for what lies between those that have a name; None as for `total`."""
    net: bool
    """Whether the idle board's power is taken off: not in the first seconds of a process, when it is not known yet."""
    source: str
    """What was measured, for example `VDD_IN`: the module's input, which is not what the wall gives."""
