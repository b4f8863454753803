"""The table of metrics: kind, help and labels of each. A new metric is a line here."""

from __future__ import annotations

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
RATIOS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)

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

BUCKETS: dict[str, tuple[float, ...]] = {
    "appliance_intent_confidence": RATIOS,
    "appliance_ocr_confidence": RATIOS,
    "appliance_asr_confidence": RATIOS,
    "appliance_ocr_lines": (0, 1, 2, 5, 10, 20, 50, 100, 200, 500),
}
"""Bounds of the histograms that do not count seconds."""
