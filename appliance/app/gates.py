"""The one registry of task metrics: what every network is measured by, on a laptop, in CI and on a board alike.

Each room measures its own networks by its own pre- and post-processing; here their metrics get one signature and stand
under the names that manifests use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from appliance.artifacts.cases import Case
from appliance.errors import ManifestInvalid
from appliance.inference.backend import Run
from appliance.inference.signature import Arrays
from appliance.language import gate as language
from appliance.specs import ModelSpec
from appliance.speech import gate as speech
from appliance.speech.ctc import accuracy
from appliance.speech.ctc import gate as ctc
from appliance.vision import gate as vision

Metric = Callable[[Run, Sequence[Case], Path], float]
"""A network, its model's cases and the folder of the installed model to a value from 0 to 1. Raises ApplianceError."""
Feed = Callable[[Sequence[Case], Path], Iterator[Arrays]]
"""A model's cases and the folder where it is installed to the network's own inputs, one mapping for each run."""


def _samples(cases: Sequence[Case]) -> list[language.Sample]:
    return [sample for case in cases if case.kind == "sentences" for sample in language.samples(case.path)]


def _metric(of_samples: Callable[[Run, Path, Sequence[language.Sample]], float]) -> Metric:
    return lambda run, cases, folder: of_samples(run, folder, _samples(cases))


def _feed(of_samples: Callable[[Path, Sequence[language.Sample]], Iterator[Arrays]]) -> Feed:
    return lambda cases, folder: of_samples(folder, _samples(cases))


METRICS: Mapping[str, Metric] = {
    **{name: _metric(metric) for name, metric in language.METRICS.items()},
    **vision.METRICS,
    **speech.METRICS,
    **ctc.METRICS,
    **accuracy.METRICS,
}
"""Metrics by the names that manifests use."""

FEEDS: Mapping[str, Feed] = {
    **{name: _feed(feed) for name, feed in language.FEEDS.items()},
    **vision.FEEDS,
    **speech.FEEDS,
    **ctc.FEEDS,
    **accuracy.FEEDS,
}
"""By the same names what makes the inputs of the network that the metric is of: quantisation is calibrated on them, and
ranges are measured."""


def score(run: Run, spec: ModelSpec, cases: Sequence[Case], folder: Path) -> float:
    """What a network scores by its gate's metric, 0 to 1; 0 without a gate. Raises ManifestInvalid for another metric.

    `run` is the network in any file on any backend, `folder` is that of the installed model.
    """
    return METRICS[_named(spec)](run, cases, folder) if spec.gate is not None else 0.0


def feeds(spec: ModelSpec, cases: Sequence[Case], folder: Path) -> Iterator[Arrays]:
    """The inputs that a network's gate shows it, one by one; none without a gate. Raises as `score` does."""
    return FEEDS[_named(spec)](cases, folder) if spec.gate is not None else iter(())


def _named(spec: ModelSpec) -> str:
    metric = spec.gate.metric if spec.gate else ""
    if metric not in METRICS:
        raise ManifestInvalid(f"{spec.name}: expected a metric of {', '.join(METRICS)}, got {metric or 'none'}")
    return metric
