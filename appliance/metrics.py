"""Prometheus collectors, with the registry passed in.

Every label is bounded: routes, stages, intents and names come from code, manifests and packs, never from a client, and
whatever lies beyond `SERIES` different values of a metric is counted as `other`. Children are cached: on the hot path a
metric is one dictionary look-up and one addition.

`Metrics.listener` is what `app.py` hands to the lower rooms. It understands the events of `EVENTS` and ignores others.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from appliance.values import Feature, OcrResult, Reply

log = logging.getLogger(__name__)

SERIES = 200
"""Most label combinations of one metric."""
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
RATIOS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
STATES = ("ready", "fallback", "off", "failed")

METRICS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "appliance_requests_total": ("counter", "HTTP requests answered", ("route", "method", "status")),
    "appliance_request_seconds": ("histogram", "Seconds from a request's head to its answer", ("route",)),
    "appliance_stage_seconds": ("histogram", "Seconds of each stage of a turn or a reading", ("stage",)),
    "appliance_shed_total": ("counter", "Requests refused before work, by error code", ("code",)),
    "appliance_turns_total": ("counter", "Turns answered, by intent and outcome", ("intent", "outcome")),
    "appliance_intent_confidence": ("histogram", "Confidence of the chosen intent", ()),
    "appliance_ocr_confidence": ("histogram", "Mean confidence of the text read in an image", ()),
    "appliance_ocr_lines": ("histogram", "Lines found in an image", ()),
    "appliance_asr_confidence": ("histogram", "Mean confidence of the words heard in a recording", ()),
    "appliance_backend_in_use": ("gauge", "1 for the backend that serves a feature now", ("feature", "backend")),
    "appliance_feature_state": ("gauge", "1 for the state that a feature is in now", ("feature", "state")),
    "appliance_model_loads_total": ("counter", "Models loaded or refused", ("model", "backend", "result")),
    "appliance_queue_depth": ("gauge", "Work queued or running, by queue", ("queue",)),
    "appliance_sessions": ("gauge", "Customer sessions alive", ()),
    "appliance_event_streams": ("gauge", "Server-sent event streams open", ()),
    "appliance_events_logged_total": ("counter", "Entries of the event log, written or failed", ("result",)),
}
"""Every metric by name: kind, help and labels. Beside them stand the process_* metrics of prometheus_client."""

EVENTS: dict[str, tuple[str, ...]] = {
    "stage": ("stage", "ms"),
    "model_load": ("model", "backend", "result"),
    "queue": ("queue", "depth"),
    "sessions": ("count",),
    "shed": ("code",),
    "event_logged": ("result",),
}
"""Events that `listener` counts, with the fields that it reads."""

_BUCKETS = {
    "appliance_intent_confidence": RATIOS,
    "appliance_ocr_confidence": RATIOS,
    "appliance_asr_confidence": RATIOS,
    "appliance_ocr_lines": (0, 1, 2, 5, 10, 20, 50, 100, 200, 500),
}


class _Family:
    """One metric with its children cached by label values."""

    def __init__(self, collector: Any, labels: tuple[str, ...]) -> None:
        self._collector = collector
        self._labels = labels
        self._children: dict[tuple[str, ...], Any] = {}

    def at(self, *values: str) -> Any:
        child = self._children.get(values)
        if child is None:
            if self._labels and len(self._children) >= SERIES:
                values = ("other",) * len(self._labels)
            child = self._collector.labels(*values) if self._labels else self._collector
            self._children[values] = child
        return child

    def seen(self) -> Iterable[tuple[str, ...]]:
        return tuple(self._children)


class Metrics:
    """All collectors of one appliance, registered in `registry`."""

    CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._families = {name: _Family(_collector(name, registry), METRICS[name][2]) for name in METRICS}
        ProcessCollector(registry=registry)  # resident memory, CPU seconds and open files of this process
        self._handlers: dict[str, Callable[[Mapping[str, Any]], None]] = {
            "stage": lambda f: self._seconds("appliance_stage_seconds", str(f["stage"]), float(f["ms"]) / 1000),
            "model_load": lambda f: (
                self._family("appliance_model_loads_total")
                .at(str(f["model"]), str(f["backend"]), str(f["result"]))
                .inc()
            ),
            "queue": lambda f: self._family("appliance_queue_depth").at(str(f["queue"])).set(float(f["depth"])),
            "sessions": lambda f: self._family("appliance_sessions").at().set(float(f["count"])),
            "shed": lambda f: self.shed(str(f["code"])),
            "event_logged": lambda f: self._family("appliance_events_logged_total").at(str(f["result"])).inc(),
        }

    def _family(self, name: str) -> _Family:
        return self._families[name]

    def _seconds(self, name: str, label: str, seconds: float) -> None:
        self._family(name).at(label).observe(seconds)

    def _ratio(self, name: str, value: float) -> None:
        if math.isfinite(value):
            self._family(name).at().observe(value)

    def listener(self, event: str, /, **fields: object) -> None:
        """Take note of an event from a lower room; unknown ones are ignored and a malformed one never raises."""
        handler = self._handlers.get(event)
        if handler is None:
            return
        try:
            handler(fields)
        except (KeyError, TypeError, ValueError) as error:
            log.warning("event %s: expected %s, got %s (%s)", event, EVENTS[event], sorted(fields), error)

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one HTTP request by its route's pattern, never by its path."""
        self._family("appliance_requests_total").at(route, method, str(status)).inc()
        self._seconds("appliance_request_seconds", route, seconds)

    def shed(self, code: str) -> None:
        """Count a request refused before any work was done for it."""
        self._family("appliance_shed_total").at(code).inc()

    def reply(self, reply: Reply) -> None:
        """Count a finished turn: intent, outcome, confidences and the seconds of each stage."""
        self._family("appliance_turns_total").at(reply.parse.intent.name, reply.answer.outcome).inc()
        self._ratio("appliance_intent_confidence", reply.parse.intent.confidence)
        self._stages(reply.timings_ms)
        if reply.ocr is not None:
            self._looked(reply.ocr)
        if reply.transcript is not None:
            self._ratio("appliance_asr_confidence", reply.transcript.confidence)

    def read(self, result: OcrResult) -> None:
        """Count one image read outside a turn, with its stages."""
        self._stages(result.timings_ms)
        self._looked(result)

    def _looked(self, result: OcrResult) -> None:
        if result.lines:
            self._ratio("appliance_ocr_confidence", result.confidence)
        self._family("appliance_ocr_lines").at().observe(len(result.lines))

    def _stages(self, timings_ms: Mapping[str, float]) -> None:
        for stage, ms in timings_ms.items():
            self._seconds("appliance_stage_seconds", stage, ms / 1000)

    def look(self, features: Iterable[Feature], status: Mapping[str, object], streams: int) -> None:
        """Set the gauges from what the door says now: backends, states, `queues` and `sessions` of the status."""
        backends = self._family("appliance_backend_in_use")
        current = {(feature.name, feature.backend) for feature in features}
        for values in backends.seen():
            backends.at(*values).set(1 if values in current else 0)
        for feature in features:
            backends.at(feature.name, feature.backend).set(1)
            for state in STATES:
                child = self._family("appliance_feature_state").at(feature.name, state)
                child.set(1 if feature.state == state else 0)
        queues = status.get("queues")
        for name, depth in (queues if isinstance(queues, Mapping) else {}).items():
            if isinstance(depth, int | float):
                self._family("appliance_queue_depth").at(str(name)).set(depth)
        sessions = status.get("sessions")
        if isinstance(sessions, int):
            self._family("appliance_sessions").at().set(sessions)
        self._family("appliance_event_streams").at().set(streams)

    def text(self) -> bytes:
        """All metrics of the registry in Prometheus' text format."""
        return generate_latest(self._registry)


def _collector(name: str, registry: CollectorRegistry) -> Any:
    kind, help_text, labels = METRICS[name]
    if kind == "counter":
        return Counter(name, help_text, labels, registry=registry)
    if kind == "gauge":
        return Gauge(name, help_text, labels, registry=registry)
    return Histogram(name, help_text, labels, registry=registry, buckets=_BUCKETS.get(name, SECONDS))
