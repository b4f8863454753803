"""What a crowd saw: answers by status, how long they took, which refusals were deliberate, what never came."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchmarks.wire import Answered

LATE_S = 2.0
"""Seconds from which an answer is written down one by one, with when it was asked."""
LATE_KEPT = 200


@dataclass
class Tally:
    """What the users saw."""

    latencies_ms: list[float] = field(default_factory=list)
    """Of answers with 200, in order of arrival."""
    refusals_ms: list[float] = field(default_factory=list)
    """Of deliberate refusals."""
    statuses: dict[str, int] = field(default_factory=dict)
    """Answers by outcome: the status, and what was wrong with a 503 that was not deliberate (see Answered.outcome)."""
    unanswered: list[str] = field(default_factory=list)
    """What happened instead of an answer."""
    resets: int = 0
    """Connections that broke under a request, or could not be made."""
    late: list[dict[str, float | str]] = field(default_factory=list)
    """Requests that took over LATE_S, the first LATE_KEPT of them: seconds since the start, seconds taken, outcome."""
    late_count: int = 0
    """How many took over LATE_S, whatever became of them."""
    oldest_s: float = 0.0
    """Longest that any request, of any kind but photos, was without an answer."""
    ended: dict[str, int] = field(default_factory=dict)
    """Answers to the end of a session, by status: 204, 404 when the appliance had forgotten it by itself."""
    photos_ms: list[float] = field(default_factory=list)
    """Of photos that were read."""
    photo_statuses: dict[str, int] = field(default_factory=dict)
    """Answers to photos, by status."""
    streams_ms: list[float] = field(default_factory=list)
    """Of photos read line by line, to their result."""
    stream_statuses: dict[str, int] = field(default_factory=dict)
    """What became of them: the status, also that of an `error` behind a 200."""
    left: int = 0
    """Of photos read line by line, those whose customer hung up amid their lines."""
    generator_gap_s: float = 0.0
    """Longest time that this generator's own event loop stood still beyond LOOK_S."""


def count(table: dict[str, int], answer: Answered) -> None:
    """Add an answer to a table of outcomes."""
    table[answer.outcome] = table.get(answer.outcome, 0) + 1


def odd_answers(table: dict[str, int], *expected: str) -> dict[str, int]:
    """Answers by outcome but for the expected ones. A 503 that was not deliberate is one of no name but its own."""
    return {outcome: number for outcome, number in table.items() if outcome not in expected}


def percentiles(values: list[float]) -> dict[str, float]:
    """p50, p90, p99 and the maximum, in the values' unit."""
    if not values:
        return {}
    ordered = sorted(values)
    at = {name: ordered[min(len(ordered) - 1, int(len(ordered) * share))] for name, share in
          (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))}  # fmt: skip
    return {name: round(value, 2) for name, value in (at | {"max": ordered[-1]}).items()}
