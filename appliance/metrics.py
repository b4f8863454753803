"""Prometheus collectors, with the registry passed in.

Every label is bounded: routes, stages, intents and names come from code, manifests and packs, and whatever lies beyond
`SERIES` different values of a metric is counted as `other` and its name forgotten. Children are cached: on the hot path
a metric is one dictionary look-up and one addition.

`Metrics.listener` is what `app.py` hands to the lower rooms. It counts the events that it knows and ignores the others.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from appliance.trail import trail
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
    "appliance_stage_seconds": ("histogram", "Seconds of each stage of the work behind a door", ("door", "stage")),
    "appliance_shed_total": ("counter", "Requests sent away before any work, by the gate that was full", ("gate",)),
    "appliance_turns_total": ("counter", "Turns and abandoned tasks, by intent and outcome", ("intent", "outcome")),
    "appliance_intent_confidence": ("histogram", "Confidence of the chosen intent", ()),
    "appliance_ocr_confidence": ("histogram", "Mean confidence of the text read in an image", ()),
    "appliance_ocr_lines": ("histogram", "Lines found in an image", ()),
    "appliance_asr_confidence": ("histogram", "Mean confidence of the words heard in a recording", ()),
    "appliance_sound_losses_total": (
        "counter",
        "Times that sound was lost at the kiosk's microphone or loudspeaker",
        ("device", "cause"),
    ),
    "appliance_voice_total": (
        "counter",
        "What happened in conversations at the kiosk's microphone: woken, answered, barge_in, failed",
        ("what",),
    ),
    "appliance_camera_total": (
        "counter",
        "What came of documents shown to the camera: answered, nothing, same, failed; and times that it was lost",
        ("what",),
    ),
    "appliance_backend_in_use": ("gauge", "1 for the backend that serves a feature now", ("feature", "backend")),
    "appliance_feature_state": ("gauge", "1 for the state that a feature is in now", ("feature", "state")),
    "appliance_model_loads_total": ("counter", "Models loaded and warmed, or refused", ("model", "backend", "result")),
    "appliance_backend_switches_total": (
        "counter",
        "Times that another backend took over a network, for worse or for better",
        ("model", "backend", "to"),
    ),
    "appliance_inference_seconds": ("histogram", "Seconds of one run of a network", ("model", "backend")),
    "appliance_inference_wait_seconds": ("histogram", "Seconds that work waited for its network", ("model",)),
    "appliance_inference_failures_total": ("counter", "Runs of a network that failed", ("model", "backend")),
    "appliance_deadlines_missed_total": ("counter", "Work given up because its deadline had passed", ("model",)),
    "appliance_actions_total": ("counter", "Actions that flows took in the world", ("action", "result")),
    "appliance_hand_overs_total": ("counter", "Conversations handed over to staff", ()),
    "appliance_queue_depth": ("gauge", "Work not finished, by gate and queue", ("queue",)),
    "appliance_governor_level": (
        "gauge",
        "Level of the governor: 0 for everything, 4 for the least, 5 while all but words and touch is refused",
        (),
    ),
    "appliance_governor_steps_total": (
        "counter",
        "Steps of the governor: down, up; power, heat, critical, alarm, waiting, blind, calm, cooled",
        ("direction", "cause"),
    ),
    "appliance_sessions": ("gauge", "Customer sessions alive", ()),
    "appliance_event_streams": ("gauge", "Server-sent event streams open", ()),
    "appliance_joules_total": (
        "counter",
        "Energy above the idle board's that each stage took, exact and some tenths of a second late",
        ("door", "stage"),
    ),
    "appliance_energy_joules_total": (
        "counter",
        "All measured energy: of the idle board, shared among work, and the rest that others drew",
        ("part",),
    ),
    "appliance_power_watts": ("gauge", "Power of what is measured as the machine's; NaN while unknown", ("source",)),
    "appliance_power_idle_watts": ("gauge", "Power while nothing runs; NaN while unknown", ()),
    "appliance_rail_watts": ("gauge", "Power of each rail, some being parts of others; NaN while unread", ("rail",)),
    "appliance_temperature_celsius": ("gauge", "Temperature of each zone; NaN while it is off or unread", ("zone",)),
    "appliance_gpu_load": ("gauge", "Share of the time in which the GPU works, 0 to 1; NaN while unknown", ()),
    "appliance_power_alarms_total": (
        "counter",
        "Times that a rail came above a limit (over), heat held clocks down (throttled) or the board counted (event)",
        ("kind", "name"),
    ),
    "appliance_look_age_seconds": ("gauge", "Seconds since the board was last looked at; grows while a bus hangs", ()),
    "appliance_event_log_on_disk": ("gauge", "1 when the event log is written, 0 while it waits in memory", ()),
    "appliance_event_log_replaced_total": ("counter", "Times that a damaged event log was set aside", ()),
}
"""Every metric by name: kind, help and labels. Beside them stand the process_* metrics of prometheus_client."""

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
        self._children: dict[tuple[object, ...], Any] = {}

    def at(self, *labels: object) -> Any:
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
        return tuple(self._children)


class Metrics:
    """All collectors of one appliance, registered in `registry`."""

    CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self.answered, self.failed = 0, 0
        """Requests answered since the start, and those of them that ended in a defect, nearly."""
        self._families = {name: _Family(_collector(name, registry), METRICS[name][2]) for name in METRICS}
        ProcessCollector(registry=registry)  # resident memory, CPU seconds and open files of this process
        self._at("appliance_event_log_on_disk").set(1)
        for unknown in ("appliance_power_idle_watts", "appliance_gpu_load", "appliance_look_age_seconds"):
            self._at(unknown).set(math.nan)  # 0 would be a figure
        self._energy: dict[str, float] = {}
        self._growing = threading.Lock()
        self._handlers: dict[str, Callable[[Mapping[str, Any]], None]] = {
            "timings": self._on_timings,
            "outcome": lambda f: self._at("appliance_turns_total", f["intent"], f["outcome"]).inc(),
            "shed": lambda f: self.shed(f["name"]),
            "backend_attempt": self._on_load,
            "model_load": self._on_load,
            "backend_switched": self._on_switch,
            "backend_restored": self._on_switch,
            "backend_preferred": self._on_switch,
            "inference": self._on_inference,
            "deadline_exceeded": lambda f: self._at("appliance_deadlines_missed_total", f["model"]).inc(),
            "microphone_loss": lambda f: self._at("appliance_sound_losses_total", "microphone", f["cause"]).inc(),
            "speaker_loss": lambda f: self._at("appliance_sound_losses_total", "speaker", "device").inc(),
            "voice_woken": lambda f: self._at("appliance_voice_total", "woken").inc(),
            "voice_answered": self._on_answered,
            "voice_barge_in": lambda f: self._at("appliance_voice_total", "barge_in").inc(),
            "voice_failed": lambda f: self._at("appliance_voice_total", "failed").inc(),
            "camera_shown": lambda f: self._at("appliance_camera_total", f["what"]).inc(),
            "camera": self._on_camera,
            "action": lambda f: self._at("appliance_actions_total", f["name"], _result(f)).inc(),
            "governor_step": self._on_governor,
            "hand_over": lambda f: self._at("appliance_hand_overs_total").inc(),
            "joules": self._on_joules,
            "power_alarm": lambda f: self._at("appliance_power_alarms_total", f["kind"], f["name"]).inc(f["count"]),
            "log_disk": lambda f: self._at("appliance_event_log_on_disk").set(1),
            "log_memory": lambda f: self._at("appliance_event_log_on_disk").set(0),
            "log_replaced": lambda f: self._at("appliance_event_log_replaced_total").inc(),
        }

    def _at(self, name: str, *labels: object) -> Any:
        return self._families[name].at(*labels)

    def _ratio(self, name: str, value: float) -> None:
        if math.isfinite(value):
            self._at(name).observe(value)

    def _on_timings(self, fields: Mapping[str, Any]) -> None:
        for stage, ms in fields["stages"].items():
            self._at("appliance_stage_seconds", fields["door"], stage).observe(ms / 1000)

    def _on_load(self, fields: Mapping[str, Any]) -> None:
        self._at("appliance_model_loads_total", fields["model"], fields["backend"], _result(fields)).inc()

    def _on_switch(self, fields: Mapping[str, Any]) -> None:
        self._at("appliance_backend_switches_total", fields["model"], fields["backend"], fields["to"]).inc()

    def _on_governor(self, fields: Mapping[str, Any]) -> None:
        self._at("appliance_governor_steps_total", fields["direction"], fields["cause"]).inc()
        self._at("appliance_governor_level").set(fields["after"])

    def _on_inference(self, fields: Mapping[str, Any]) -> None:
        model, backend = fields["model"], fields["backend"]
        self._at("appliance_inference_wait_seconds", model).observe(fields["waited_ms"] / 1000)
        if fields["ok"]:
            self._at("appliance_inference_seconds", model, backend).observe(fields["run_ms"] / 1000)
        else:
            self._at("appliance_inference_failures_total", model, backend).inc()

    def _on_joules(self, fields: Mapping[str, Any]) -> None:
        for stage, joules in fields["stages"].items():
            self._at("appliance_joules_total", fields["door"], stage).inc(max(0.0, joules))

    def listener(self, event: str, /, **fields: object) -> None:
        """Take note of an event from a lower room; unknown ones are ignored and a malformed one never raises."""
        handler = self._handlers.get(event)
        if handler is None:
            return
        try:
            handler(fields)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            log.warning("event %s with the fields %s was not counted: %s", event, sorted(fields), trail(error))

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one HTTP request by its route's pattern, never by its path."""
        self._at("appliance_requests_total", route, method, status).inc()
        self.answered += 1
        self.failed += status == 500
        self._at("appliance_request_seconds", route).observe(seconds)

    def shed(self, gate: str) -> None:
        """Count a request that was sent away before any work was done for it."""
        self._at("appliance_shed_total", gate).inc()

    def _on_answered(self, f: Mapping[str, Any]) -> None:
        self._at("appliance_voice_total", "answered").inc()
        self._ratio("appliance_intent_confidence", f["intent"])
        self._ratio("appliance_asr_confidence", f["heard"])

    def _on_camera(self, f: Mapping[str, Any]) -> None:
        if f["state"] == "lost":
            self._at("appliance_camera_total", "lost").inc()

    def reply(self, reply: Reply) -> None:
        """Count a finished turn's confidences (outcomes and stages come by the events `outcome` and `timings`)."""
        self._ratio("appliance_intent_confidence", reply.parse.intent.confidence)
        if reply.ocr is not None:
            self.read(reply.ocr)
        if reply.transcript is not None:
            self._ratio("appliance_asr_confidence", reply.transcript.confidence)

    def read(self, result: OcrResult) -> None:
        """Count one image that was read."""
        self._at("appliance_ocr_lines").observe(len(result.lines))
        if result.lines:
            self._ratio("appliance_ocr_confidence", result.confidence)

    def look(self, features: Iterable[Feature], status: Mapping[str, object], streams: int) -> None:
        """Set the gauges from what the door says now: features, the status's `admitted` and `sessions`, streams."""
        features = tuple(features)
        current = {(feature.name, feature.backend) for feature in features}
        for labels in (*self._families["appliance_backend_in_use"].seen(), *current):
            self._at("appliance_backend_in_use", *labels).set(1 if labels in current else 0)
        for feature in features:
            for state in STATES:
                self._at("appliance_feature_state", feature.name, state).set(1 if feature.state == state else 0)
        for name, depth in depths(status).items():
            self._at("appliance_queue_depth", name).set(depth)
        sessions = status.get("sessions")
        if isinstance(sessions, int):
            self._at("appliance_sessions").set(sessions)
        self._at("appliance_event_streams").set(streams)
        device = status.get("device")
        if isinstance(device, Mapping):
            self._on_device(device)

    def _on_device(self, device: Mapping[str, Any]) -> None:
        """Set what the board tells. What is no more there becomes NaN: an old figure would pass for a new one."""
        power = device["power"]
        self._spread("appliance_power_watts", {power["source"]: power["watts"]} if power["measured"] else {})
        self._at("appliance_power_idle_watts").set(_number(power["idle_watts"]))
        self._grow(device["energy"])
        if device["look_age_s"] is None:
            return
        self._at("appliance_look_age_seconds").set(device["look_age_s"])
        self._spread("appliance_rail_watts", {rail: draw["watts"] for rail, draw in device["rails"].items()})
        self._spread("appliance_temperature_celsius", device["celsius"])
        gpu = device["gpu"]
        self._at("appliance_gpu_load").set(_number(gpu["load"] if gpu is not None else None))

    def _spread(self, name: str, values: Mapping[str, float | None]) -> None:
        """Set one gauge for each of `values`, and those that are not among them to NaN."""
        for (label,) in self._families[name].seen():
            if label not in values:
                self._at(name, label).set(math.nan)
        for label, value in values.items():
            self._at(name, label).set(_number(value))

    def _grow(self, energy: Mapping[str, float]) -> None:
        with self._growing:  # two that ask at once must not count one difference twice
            for part in ("idle", "shared", "rest"):
                now = energy[f"{part}_j"]
                grown = now - self._energy.get(part, 0.0)
                if grown >= 0:
                    self._energy[part] = now
                    self._at("appliance_energy_joules_total", part).inc(grown)

    def text(self) -> bytes:
        """All metrics of the registry in Prometheus' text format."""
        return generate_latest(self._registry)


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


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _result(fields: Mapping[str, Any]) -> str:
    return "ok" if fields["ok"] else "failed"


def _collector(name: str, registry: CollectorRegistry) -> Any:
    kind, help_text, labels = METRICS[name]
    if kind == "counter":
        return Counter(name, help_text, labels, registry=registry)
    if kind == "gauge":
        return Gauge(name, help_text, labels, registry=registry)
    return Histogram(name, help_text, labels, registry=registry, buckets=_BUCKETS.get(name, SECONDS))
