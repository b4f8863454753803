"""How much work is not finished, as a status tells it."""

from __future__ import annotations

from collections.abc import Mapping


def depths(status: Mapping[str, object]) -> dict[str, int]:
    """Work not finished, by gate and queue, from a status: `admitted: {gate: {in_use: n}}`, `queues: {queue: n}`."""
    gates, queues = status.get("admitted"), status.get("queues")
    found: dict[str, int] = {}
    for name, gate in gates.items() if isinstance(gates, Mapping) else ():
        if isinstance(gate, Mapping):
            found[str(name)] = int(gate["in_use"])
    for name, depth in queues.items() if isinstance(queues, Mapping) else ():
        if isinstance(depth, int):
            found[str(name)] = depth
    return found
