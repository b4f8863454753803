"""What happens in an appliance becomes figures: events of the lower rooms, requests, replies, the state now."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from appliance.metrics.board import Board
from appliance.metrics.depths import depths
from appliance.metrics.family import Families
from appliance.trail import trail
from appliance.values import Feature, OcrResult, Reply

log = logging.getLogger(__name__)

STATES = ("ready", "fallback", "off", "failed")


class Metrics:
    """All collectors of one appliance, registered in `registry`."""

    CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self.answered, self.failed = 0, 0
        """Requests answered since the start, and those of them that ended in a defect, nearly."""
        self._families = Families(registry)
        ProcessCollector(registry=registry)  # resident memory, CPU seconds and open files of this process
        self._at("appliance_event_log_on_disk").set(1)
        self._board = Board(self._families)
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
        return self._families.at(name, *labels)

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
        for labels in (*self._families.seen("appliance_backend_in_use"), *current):
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
            self._board.look(device)

    def text(self) -> bytes:
        """All metrics of the registry in Prometheus' text format."""
        return generate_latest(self._registry)


def _result(fields: Mapping[str, Any]) -> str:
    return "ok" if fields["ok"] else "failed"
