"""Metrics: every event that a lower room tells lands in a bounded, cached series."""

from __future__ import annotations

import logging
import math

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from appliance.metrics import METRICS, SERIES, Metrics, depths
from appliance.values import Answer, Feature, Intent, OcrLine, OcrResult, Parse, Reply, Transcript, Turn

BOX = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))


def samples(metrics: Metrics) -> dict[tuple[str, tuple[str, ...]], float]:
    return {
        (sample.name, tuple(str(value) for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


def reply(**more: object) -> Reply:
    return Reply("s", Turn("你好"), Parse(Intent("greet", 0.9)), Answer("您好", outcome="resolved"), **more)  # type: ignore[arg-type]


def test_every_metric_of_the_table_is_served_with_its_help(metrics):
    text = metrics.text().decode()
    for name, (kind, help_text, _) in METRICS.items():
        assert f"# HELP {name} {help_text}" in text
        assert f"# TYPE {name} {kind}" in text
    assert "process_resident_memory_bytes" in text
    assert "process_cpu_seconds_total" in text


def test_two_registries_do_not_meet():
    one, other = Metrics(CollectorRegistry()), Metrics(CollectorRegistry())
    one.shed("turn")
    assert ("appliance_shed_total", ("turn",)) in samples(one)
    assert ("appliance_shed_total", ("turn",)) not in samples(other)


@pytest.mark.parametrize(
    "event, fields, sample, value",
    [
        (
            "timings",
            {"door": "turn", "stages": {"dialogue": 2.0}},
            ("appliance_stage_seconds_sum", ("turn", "dialogue")),
            0.002,
        ),
        (
            "joules",
            {"door": "look", "stages": {"detect": 2.5, "other": -1e-9}, "joules": 2.5},
            ("appliance_joules_total", ("look", "detect")),
            2.5,
        ),
        (
            "power_alarm",
            {"kind": "event", "name": "oc3", "count": 4},
            ("appliance_power_alarms_total", ("event", "oc3")),
            4,
        ),
        ("outcome", {"intent": "greet", "outcome": "resolved"}, ("appliance_turns_total", ("greet", "resolved")), 1),
        ("outcome", {"intent": "ask", "outcome": "abandoned"}, ("appliance_turns_total", ("ask", "abandoned")), 1),
        ("shed", {"name": "image", "capacity": 3, "retry_after": 1.0}, ("appliance_shed_total", ("image",)), 1),
        (
            "backend_attempt",
            {"model": "m", "backend": "b", "ok": True},
            ("appliance_model_loads_total", ("b", "m", "ok")),
            1,
        ),
        (
            "model_load",
            {"model": "m", "backend": "none", "ok": False},
            ("appliance_model_loads_total", ("none", "m", "failed")),
            1,
        ),
        ("deadline_exceeded", {"model": "m", "where": "in the queue"}, ("appliance_deadlines_missed_total", ("m",)), 1),
        ("action", {"name": "take_ticket", "ok": True}, ("appliance_actions_total", ("take_ticket", "ok")), 1),
        ("hand_over", {"reason": "asked"}, ("appliance_hand_overs_total", ()), 1),
        (
            "microphone_loss",
            {"cause": "ring", "seconds": 0.1},
            ("appliance_sound_losses_total", ("ring", "microphone")),
            1,
        ),
        (
            "speaker_loss",
            {"underflows": 1, "gap_s": 0.0},
            ("appliance_sound_losses_total", ("device", "speaker")),
            1,
        ),
        ("voice_woken", {}, ("appliance_voice_total", ("woken",)), 1),
        ("voice_answered", {"intent": 0.9, "heard": 0.8}, ("appliance_asr_confidence_sum", ()), 0.8),
        ("voice_barge_in", {}, ("appliance_voice_total", ("barge_in",)), 1),
        ("voice_failed", {"code": "internal"}, ("appliance_voice_total", ("failed",)), 1),
        ("log_memory", {"reason": "disk full", "waiting": 3}, ("appliance_event_log_on_disk", ()), 0),
        ("log_disk", {"written": True}, ("appliance_event_log_on_disk", ()), 1),
        ("log_replaced", {"reason": "torn", "kept": "x"}, ("appliance_event_log_replaced_total", ()), 1),
    ],
)
def test_events(metrics, event, fields, sample, value):
    metrics.listener(event, **fields)
    assert samples(metrics)[sample] == pytest.approx(value)


def test_inference_is_timed_when_it_works_and_counted_when_it_fails(metrics):
    fields = {"model": "det", "backend": "cpu", "waited_ms": 4.0, "run_ms": 50.0}
    metrics.listener("inference", ok=True, **fields)
    metrics.listener("inference", ok=False, **fields)
    seen = samples(metrics)
    assert seen["appliance_inference_seconds_sum", ("cpu", "det")] == pytest.approx(0.05)
    assert seen["appliance_inference_seconds_count", ("cpu", "det")] == 1
    assert seen["appliance_inference_failures_total", ("cpu", "det")] == 1
    assert seen["appliance_inference_wait_seconds_count", ("det",)] == 2


def test_unknown_and_malformed_events_never_raise(metrics, caplog):
    metrics.listener("models.published", model="m")
    with caplog.at_level(logging.WARNING):
        metrics.listener("shed")
        metrics.listener("timings", door="turn", stages=None)
        metrics.listener("timings", door="turn", stages={"a": "b"})
    assert len(caplog.records) == 3


def test_reply_counts_confidences_and_leaves_the_outcome_to_its_event(metrics):
    lines = (OcrLine("甲", 0.9, BOX), OcrLine("乙丙", 0.6, BOX))
    metrics.reply(reply(ocr=OcrResult(lines, 1, 1, "e"), transcript=Transcript("好", 0.8, "zh")))
    metrics.reply(reply(ocr=OcrResult((), 1, 1, "e")))
    seen = samples(metrics)
    assert ("appliance_turns_total", ("greet", "resolved")) not in seen
    assert seen["appliance_intent_confidence_sum", ()] == pytest.approx(1.8)
    assert seen["appliance_ocr_confidence_count", ()] == 1
    assert seen["appliance_ocr_confidence_sum", ()] == pytest.approx(0.7)
    assert seen["appliance_ocr_lines_sum", ()] == 2
    assert seen["appliance_asr_confidence_sum", ()] == pytest.approx(0.8)


def test_a_confidence_that_is_no_number_is_left_out(metrics):
    metrics.reply(Reply("s", Turn("a"), Parse(Intent("greet", float("nan"))), Answer("b")))
    assert samples(metrics)["appliance_intent_confidence_count", ()] == 0


def test_look_moves_the_gauges_with_the_features(metrics):
    def look(state: str, backend: str) -> dict[tuple[str, tuple[str, ...]], float]:
        status = {"admitted": {"image": {"in_use": 2, "capacity": 3}}, "sessions": 5}
        metrics.look(iter([Feature("ocr", state, backend, "")]), status, 1)
        return samples(metrics)

    assert look("ready", "onnxruntime-cpu")["appliance_backend_in_use", ("onnxruntime-cpu", "ocr")] == 1
    seen = look("fallback", "tesseract")
    assert seen["appliance_backend_in_use", ("onnxruntime-cpu", "ocr")] == 0
    assert seen["appliance_backend_in_use", ("tesseract", "ocr")] == 1
    assert seen["appliance_feature_state", ("ocr", "ready")] == 0
    assert seen["appliance_feature_state", ("ocr", "fallback")] == 1
    assert seen["appliance_queue_depth", ("image",)] == 2
    assert seen["appliance_sessions", ()] == 5
    assert seen["appliance_event_streams", ()] == 1


def test_depths_of_a_status_without_gates():
    assert depths({}) == {}
    assert depths({"admitted": {"turn": {"in_use": 1, "capacity": 2}, "odd": 3}}) == {"turn": 1}
    assert depths({"queues": {"inference": 4, "odd": "x"}, "admitted": []}) == {"inference": 4}


def test_labels_are_bounded(metrics):
    for number in range(SERIES + 50):
        metrics.shed(f"gate {number}")
    seen = [key for key in samples(metrics) if key[0] == "appliance_shed_total"]
    assert len(seen) == SERIES + 1
    assert samples(metrics)["appliance_shed_total", ("other",)] == 50


def test_names_beyond_the_bound_are_not_kept(metrics):
    for number in range(SERIES + 50):
        metrics.shed(f"gate {number}")
    kept = set(metrics._families.seen("appliance_shed_total"))
    assert kept == {(f"gate {number}",) for number in range(SERIES)}
    metrics.shed("gate 0")
    assert samples(metrics)["appliance_shed_total", ("gate 0",)] == 2


def test_what_came_of_what_was_shown_is_counted(metrics):
    for what in ("answered", "answered", "nothing", "same", "failed"):
        metrics.listener("camera_shown", what=what)
    for state in ("opening", "watching", "lost", "absent"):
        metrics.listener("camera", state=state, device="Cam", reason="", retries=0)
    seen = samples(metrics)
    assert seen["appliance_camera_total", ("answered",)] == 2
    assert seen["appliance_camera_total", ("lost",)] == 1
    assert ("appliance_camera_total", ("opening",)) not in seen


BOARD = {
    "power": {"measured": True, "source": "VDD_IN", "watts": 9.5, "idle_watts": 4.25},
    "energy": {"idle_j": 40.0, "shared_j": 10.0, "rest_j": 1.5, "seconds": 10.0},
    "look_age_s": 0.5,
    "rails": {"VDD_IN": {"watts": 9.5}, "VDD_SOC": {"watts": 2.0}},
    "celsius": {"cpu": 51.0, "gpu": 48.5},
    "gpu": {"load": 0.8, "megahertz": 1020.0, "most_megahertz": 1020.0},
}


def test_the_board_is_served_and_what_is_no_more_is_no_figure(metrics):
    metrics.look((), {"device": BOARD}, 0)
    now = samples(metrics)
    assert now["appliance_power_watts", ("VDD_IN",)] == 9.5
    assert now["appliance_power_idle_watts", ()] == 4.25
    assert now["appliance_rail_watts", ("VDD_SOC",)] == 2.0
    assert now["appliance_temperature_celsius", ("gpu",)] == 48.5
    assert now["appliance_gpu_load", ()] == 0.8
    assert now["appliance_look_age_seconds", ()] == 0.5
    assert now["appliance_energy_joules_total", ("shared",)] == 10.0
    energy = {"idle_j": 80.0, "shared_j": 10.0, "rest_j": 2.0, "seconds": 20.0}
    power = BOARD["power"] | {"watts": None}
    later = BOARD | {"energy": energy, "rails": {"VDD_IN": {"watts": 9.0}}, "celsius": {"cpu": 50.0}, "gpu": None}
    metrics.look((), {"device": later | {"power": power}}, 0)
    now = samples(metrics)
    assert now["appliance_energy_joules_total", ("idle",)] == 80.0
    assert now["appliance_energy_joules_total", ("shared",)] == 10.0
    assert now["appliance_rail_watts", ("VDD_IN",)] == 9.0
    for gone in (
        ("appliance_rail_watts", ("VDD_SOC",)),
        ("appliance_temperature_celsius", ("gpu",)),
        ("appliance_gpu_load", ()),
        ("appliance_power_watts", ("VDD_IN",)),
    ):
        assert math.isnan(now[gone]), gone


def test_a_machine_that_measures_nothing_has_no_figures(metrics):
    power = {"measured": False, "source": "none", "watts": None, "idle_watts": None}
    energy = {"idle_j": 0.0, "shared_j": 0.0, "rest_j": 0.0, "seconds": 0.0}
    metrics.look((), {"device": {"power": power, "energy": energy, "look_age_s": None}}, 0)
    found = samples(metrics)
    series = {name for name, _ in found if name.startswith(("appliance_rail", "appliance_temp", "appliance_power_w"))}
    assert series == set()
    for name in ("appliance_power_idle_watts", "appliance_gpu_load", "appliance_look_age_seconds"):
        assert math.isnan(found[name, ()])


def test_steps_of_the_governor_are_counted_and_its_level_is_shown() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    assert registry.get_sample_value("appliance_governor_level") == 0
    metrics.listener("governor_step", before=0, after=4, direction="down", cause="heat", reason="hot")
    metrics.listener("governor_step", before=4, after=3, direction="up", cause="calm", reason="calm")
    assert registry.get_sample_value("appliance_governor_level") == 3
    labels = {"direction": "down", "cause": "heat"}
    assert registry.get_sample_value("appliance_governor_steps_total", labels) == 1
