"""The network's probabilities and the pack's evidence as one opinion of a sentence's intent (rule 3 of `intent`)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from appliance.language.lexicon import OUT_OF_SCOPE
from appliance.values import Intent

TRUST = 2.0
"""How much the pack's evidence counts beside the network: `python -m benchmarks.language.joining` compares others."""
UNSURE = 0.3
"""Below this probability the best intent is a guess."""
_LIKELY = 0.04
"""Least probability of an alternative that is worth offering."""


def joined(
    network: Sequence[Intent], evidence: Mapping[str, float], trust: float = TRUST
) -> tuple[tuple[float, str], ...]:
    """Every intent with its probability, likeliest first.

    The network's probability is multiplied by e to the power of `trust` times the evidence (0 to 1), and all are
    brought to a sum of 1: a product of experts (Hinton 2002) in which one that says nothing changes nothing.
    """
    raised = [(intent.confidence * math.exp(trust * evidence.get(intent.name, 0.0)), intent.name) for intent in network]
    total = sum(chance for chance, _ in raised) or 1.0
    return tuple(sorted(((chance / total, name) for chance, name in raised), key=lambda one: (-one[0], one[1])))


def settled(ranked: Sequence[tuple[float, str]], unsure: float = UNSURE) -> tuple[Intent, tuple[Intent, ...]]:
    """The intent and its alternatives, best first; out of scope when that is likeliest or everything is unlikely."""
    sure, best = ranked[0]
    others = tuple(Intent(name, round(p, 4)) for p, name in ranked if name != OUT_OF_SCOPE and p >= _LIKELY)
    if best == OUT_OF_SCOPE:
        return Intent(OUT_OF_SCOPE, round(sure, 4)), others[:3]
    if sure < unsure:
        return Intent(OUT_OF_SCOPE, round(1 - sure, 4)), others[:3]
    return Intent(best, round(sure, 4)), tuple(other for other in others if other.name != best)[:3]
