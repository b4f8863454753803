"""Confidence that can be believed: one temperature for all logits (Guo et al. 2017), and how far it is off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
BINS = 15


@dataclass(frozen=True)
class Bin:
    """Predictions of about the same confidence."""

    confidence: float
    """Their mean confidence."""
    accuracy: float
    """Share of them that is right."""
    count: int
    """How many they are."""


def softmax(logits: Floats, temperature: float = 1.0) -> Floats:
    """Probabilities of logits (n, classes)."""
    scaled = np.asarray(logits, np.float64) / temperature
    scaled -= scaled.max(-1, keepdims=True)
    exponent = np.exp(scaled)
    return exponent / exponent.sum(-1, keepdims=True)


def likelihood(logits: Floats, labels: npt.NDArray[np.integer], temperature: float) -> float:
    """Mean negative log-likelihood of the labels."""
    found = softmax(logits, temperature)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(found, 1e-12)).mean())


def temperature(logits: Floats, labels: npt.NDArray[np.integer]) -> float:
    """The temperature, 0.2 to 5, under which the labels are likeliest: golden-section search of a convex function."""
    low, high, ratio = np.log(0.2), np.log(5.0), (5**0.5 - 1) / 2
    for _ in range(40):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if likelihood(logits, labels, float(np.exp(left))) < likelihood(logits, labels, float(np.exp(right))):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))


def bins(probabilities: Floats, labels: npt.NDArray[np.integer]) -> list[Bin]:
    """Predictions in BINS steps of confidence; empty steps are left out."""
    confidence, right = probabilities.max(-1), probabilities.argmax(-1) == labels
    step = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        Bin(float(confidence[step == at].mean()), float(right[step == at].mean()), int((step == at).sum()))
        for at in range(BINS)
        if (step == at).any()
    ]


def expected_error(found: list[Bin]) -> float:
    """Expected calibration error (Naeini et al. 2015): mean distance of confidence and accuracy."""
    total = sum(one.count for one in found)
    return sum(one.count * abs(one.confidence - one.accuracy) for one in found) / total if total else 0.0


def auroc(inside: Floats, outside: Floats) -> float:
    """Chance that a score from `inside` is above one from `outside`; ties count half (Mann-Whitney)."""
    both = np.concatenate([inside, outside])
    order = np.argsort(both, kind="stable")
    ranks = np.empty(len(both))
    ranks[order] = np.arange(1, len(both) + 1)
    values, first, counts = np.unique(both, return_inverse=True, return_counts=True)
    sums = np.zeros(len(values))
    np.add.at(sums, first, ranks)
    ranks = (sums / counts)[first]
    n, m = len(inside), len(outside)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))
