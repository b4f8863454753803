"""Metrics with their children: bounded in number, and cached, so that the hot path is a look-up and an addition."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from appliance.metrics.table import BUCKETS, METRICS, SECONDS

SERIES = 200
"""Most label combinations of one metric."""


class Family:
    """One metric with its children cached by label values."""

    def __init__(self, collector: Any, labels: tuple[str, ...]) -> None:
        self._collector = collector
        self._labels = labels
        self._children: dict[tuple[object, ...], Any] = {}

    def at(self, *labels: object) -> Any:
        """The child of these label values."""
        child = self._children.get(labels)
        if child is None:
            if not self._labels:
                child = self._collector
            elif len(self._children) < SERIES:
                child = self._collector.labels(*(str(label) for label in labels))
            else:  # not kept under its name: whoever can make names up must not make the cache grow
                return self._collector.labels(*("other",) * len(self._labels))
            self._children[labels] = child
        return child

    def seen(self) -> Iterable[tuple[object, ...]]:
        """Label values that there is a child of."""
        return tuple(self._children)


class Families:
    """Every metric of the table, registered in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._families = {name: Family(_collector(name, registry), METRICS[name][2]) for name in METRICS}

    def at(self, name: str, *labels: object) -> Any:
        """The child of a metric by its label values."""
        return self._families[name].at(*labels)

    def seen(self, name: str) -> Iterable[tuple[object, ...]]:
        """Label values that a metric has had."""
        return self._families[name].seen()

    def spread(self, name: str, values: Mapping[str, float | None]) -> None:
        """Set one gauge for each of `values`, and those that are not among them to NaN."""
        for (label,) in self.seen(name):
            if label not in values:
                self.at(name, label).set(math.nan)
        for label, value in values.items():
            self.at(name, label).set(number(value))


def number(value: float | None) -> float:
    """A figure; NaN for one that is not known, because 0 would be one."""
    return math.nan if value is None else value


def _collector(name: str, registry: CollectorRegistry) -> Any:
    kind, help_text, labels = METRICS[name]
    if kind == "counter":
        return Counter(name, help_text, labels, registry=registry)
    if kind == "gauge":
        return Gauge(name, help_text, labels, registry=registry)
    return Histogram(name, help_text, labels, registry=registry, buckets=BUCKETS.get(name, SECONDS))
