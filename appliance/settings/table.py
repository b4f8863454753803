"""The table itself: every setting with its type, default, help and range. A new setting is a line here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

BACKENDS = ("tensorrt", "onnxruntime-cuda", "onnxruntime-cpu")
"""Backends that a network may be served by, the usual order of trying them."""

PIN_HASH = r"scrypt:1[4-7]:8:1:[0-9a-f]{32}:[0-9a-f]{64}"
"""Form of `service_pin`: what `channels.technician.pin` makes of a PIN and compares with."""


def _setting(default: Any, help_text: str, *, minimum: float | None = None, maximum: float | None = None) -> Any:
    metadata = {"help": help_text, "minimum": minimum, "maximum": maximum}
    if isinstance(default, tuple):
        return field(default_factory=lambda: default, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings with their values; see each field's help in `SETTINGS`."""

    http_host: str = _setting("127.0.0.1", "Address to listen on; anything but loopback demands http_token")
    http_port: int = _setting(
        8080, "TCP port of the HTTP API and the page; 0 picks a free one", minimum=0, maximum=65535
    )
    http_token: str = _setting(
        "",
        "Bearer token that requests must carry, except those for /healthz and the page's own files; empty means none",
    )
    http_allowed_hosts: tuple[str, ...] = _setting(
        (), "Further Host names to accept, beside loopback names and http_host (against DNS rebinding)"
    )
    http_tls_certificate: str = _setting("", "PEM certificate file; with http_tls_key it turns HTTPS on")
    http_tls_key: str = _setting("", "PEM private key file of http_tls_certificate")
    http_threads: int = _setting(64, "Server threads", minimum=8, maximum=512)
    http_connections: int = _setting(
        4096,
        "Client connections open at once; each needs an open file, and beyond them new ones get 503",
        minimum=64,
        maximum=65_536,
    )
    http_timeout_s: float = _setting(15.0, "Seconds that a client may be silent in a request", minimum=1, maximum=300)
    admitted: int = _setting(
        24, "Requests worked on or queued at once before 503; at most half of http_threads", minimum=1, maximum=256
    )
    event_streams: int = _setting(8, "Server-sent event streams open at once", minimum=0, maximum=128)
    ocr_streams: int = _setting(3, "Readings streamed line by line at once before 503", minimum=0, maximum=64)
    image_jobs: int = _setting(3, "Images read or queued at once before 503", minimum=1, maximum=64)
    audio_jobs: int = _setting(2, "Recordings heard or queued at once before 503", minimum=1, maximum=64)
    session_jobs: int = _setting(2, "Requests of one session at once before 429", minimum=1, maximum=64)
    deadline_s: float = _setting(30.0, "Seconds in which a request must be finished", minimum=1, maximum=300)
    max_text_chars: int = _setting(512, "Longest text of a turn, in characters", minimum=16, maximum=10_000)
    max_image_bytes: int = _setting(12 * 1024 * 1024, "Largest image file, in bytes", minimum=1024, maximum=1 << 28)
    max_image_pixels: int = _setting(
        40_000_000, "Largest image, in pixels, checked before it is decoded", minimum=10_000, maximum=200_000_000
    )
    max_audio_seconds: float = _setting(60.0, "Longest recording, in seconds", minimum=1, maximum=600)
    max_audio_bytes: int = _setting(32 * 1024 * 1024, "Largest recording file, in bytes", minimum=1024, maximum=1 << 28)
    audio_streams: int = _setting(
        2, "Recordings streamed in while they are spoken, at once before 503", minimum=0, maximum=64
    )
    voice: str = _setting(
        "off",
        "The kiosk's own microphone: off, push (listens when the page asks) or wake (also by the pack's wake phrase)",
    )
    microphone: str = _setting("", "Name of the microphone, or a part of it that no other has; empty: the system's")
    speaker: str = _setting("", "Name of the loudspeaker, or a part of it that no other has; empty: the system's")
    speaker_volume: float = _setting(0.8, "Volume of the voice, 0 to 1", minimum=0, maximum=1)
    speech_engine: str = _setting(
        "auto", "What speaks: auto (the best that is installed), sherpa, espeak or off (answers are only shown)"
    )
    speech_voice: str = _setting("", "Folder of a sherpa-onnx voice; empty: only espeak-ng speaks")
    speech_silence_s: float = _setting(
        0.5, "Seconds of silence after which somebody has finished speaking", minimum=0.2, maximum=3
    )
    speech_longest_s: float = _setting(
        20.0, "Seconds after which one who goes on speaking is answered", minimum=2, maximum=60
    )
    speech_grammar: bool = _setting(
        False,
        "A Vosk recogniser hears the pack's sentences and names alone, in any order: fewer errors in noise, and "
        "nothing else is understood; takes a model whose graph is not composed, as the small ones are",
    )
    barge_in: str = _setting(
        "auto",
        "Whether speaking breaks off the kiosk's own voice: on, off, or auto (where the microphone's name tells of "
        "echo cancellation); without echo cancellation the kiosk would hear itself",
    )
    wyoming_host: str = _setting("127.0.0.1", "Address of the Wyoming listener; anything but loopback is for strangers")
    wyoming_port: int = _setting(
        0, "TCP port of the Wyoming listener (Home Assistant's voice protocol); 0 means off", minimum=0, maximum=65535
    )
    lan_peers: tuple[str, ...] = _setting(
        (),
        "Addresses and networks, such as 192.168.1.0/24, that may reach a listener beyond loopback where the appliance "
        "runs as the systemd unit, which shuts out all others; `appliance service drop-in` opens them",
    )
    camera_device: str = _setting(
        "",
        "The appliance's own camera: its name or a part of it, a link under /dev/v4l/by-id, a node or a number; a "
        "video file stands in for one; empty: no camera is ever opened",
    )
    camera_watch: bool = _setting(
        True,
        "A document that is held still before the camera is read and answered without being asked to; false: the "
        "camera is opened only for a look that is asked for",
    )
    camera_rate: float = _setting(
        5.0, "Pictures a second of the camera that are looked at, at most", minimum=1, maximum=30
    )
    camera_width: int = _setting(1920, "Width asked of the camera, in pixels", minimum=320, maximum=4096)
    camera_height: int = _setting(1080, "Height asked of the camera, in pixels", minimum=240, maximum=4096)
    camera_format: str = _setting(
        "MJPG", "Format asked of the camera, four characters as `appliance camera list` shows; empty: the camera's own"
    )
    camera_previews: int = _setting(2, "Views of the camera for aiming open at once before 503", minimum=0, maximum=16)
    power_mode: str = _setting(
        "",
        "Name of the board's power mode (nvpmodel), such as 15W, set at its start by the power unit; empty: untouched",
    )
    governor: str = _setting(
        "auto",
        "Whether power and heat are kept by doing less: auto (on NVIDIA's boards), on (wherever there are sensors) or "
        "off",
    )
    power_budget_w: float = _setting(
        15.0, "Watts that the governor keeps, in the mean over 10 s", minimum=1, maximum=500
    )
    temperature_ceiling_c: float = _setting(
        85.0, "Degrees of the chip's hottest place that the governor keeps", minimum=30, maximum=120
    )
    temperature_critical_c: float = _setting(
        95.0,
        "Degrees from which all but words and touch is refused; above temperature_ceiling_c, and below those at which "
        "the board switches itself off",
        minimum=31,
        maximum=125,
    )
    temperature_hysteresis_c: float = _setting(
        5.0, "Degrees below a limit at which it counts as kept again", minimum=1, maximum=30
    )
    device_root: str = _setting(
        "/",
        "Folder with the kernel's files of the board (sys, proc, etc), out of which power, heat, clocks and mode are "
        "read; another one than / is for tests and drills",
    )
    kiosk_browser: str = _setting(
        "",
        "Command of the kiosk's browser, {url} standing for the page's address; empty: the first browser that is "
        "installed and no snap",
    )
    kiosk_url: str = _setting("", "Address that the kiosk's browser shows; empty: this machine's own page")
    service_pin: str = _setting(
        "",
        "Hash of the technician's PIN, as `appliance service pin` prints it, for the service page behind a corner of "
        "the kiosk's screen; empty: there is no such page",
    )
    printer: str = _setting(
        "",
        "Device of an ESC/POS receipt printer, `/dev/usb/lp0` say, for the service page's test of it; empty: none. The "
        "unit lets it through after `appliance service drop-in`",
    )
    data_dir: str = _setting("", "Where models and records are kept; empty means XDG_DATA_HOME/appliance")
    pack: str = _setting("store", "Name of a shipped pack, or the path of a pack folder")
    backends: tuple[str, ...] = _setting(
        BACKENDS, "Inference backends to try for every network that may be served by them, best first"
    )
    engines_weak: bool = _setting(
        False, "Let TensorRT 10 choose where a float32 network is computed in halves, instead of using fp16 files"
    )
    engines_max_mb: int = _setting(
        2048,
        "Megabytes of engines to keep; beyond it those not used longest are deleted, never one that serves",
        minimum=64,
        maximum=65_536,
    )
    tensorrt_graphs: bool = _setting(
        False, "Record runs of shapes that come again as CUDA graphs (needs cuda-bindings)"
    )
    onnxruntime_threads: int = _setting(
        0, "Threads of one ONNX Runtime run; 0 means the cores, at most 4", minimum=0, maximum=64
    )
    ocr_max_side: int = _setting(
        1600,
        "Longest side of the image that the text detector sees, in pixels; bounds memory",
        minimum=320,
        maximum=4096,
    )
    ocr_orientation: bool = _setting(
        True, "Find out which way up a page stands before it is read; false saves about a tenth of the time"
    )
    required: tuple[str, ...] = _setting(
        ("language", "dialogue"),
        "Features that must serve for /readyz to be 200: of language, dialogue, ocr, vad, asr, microphone, speech, "
        "camera",
    )
    page_idle_s: float = _setting(
        60.0,
        "Seconds without a touch after which the page has wiped itself; the last 15 of them, at most a third, it asks",
        minimum=10,
        maximum=3600,
    )
    page_attract_s: float = _setting(
        30.0,
        "Seconds of nobody at the empty start page until it invites passers-by; 0 never",
        minimum=0,
        maximum=3600,
    )
    session_idle_s: float = _setting(
        120.0,
        "Seconds after its last turn in which the process forgets a session by itself, though no page asked for that; "
        "at least page_idle_s, so that nobody who is still reading loses the thread",
        minimum=10,
        maximum=86400,
    )
    sessions: int = _setting(
        4096, "Sessions kept at once; the longest idle one goes first", minimum=1, maximum=1_000_000
    )
    records_days: int = _setting(90, "Days after which entries of the event log are removed", minimum=1, maximum=3650)
    bundle_token: str = _setting(
        "",
        "Bearer token that /v1/bundles demands, on loopback too, in place of http_token; empty: http_token, and where "
        "that is empty as well /v1/bundles is closed",
    )
    bundle_max_mb: int = _setting(
        4096, "Largest bundle that is taken in, in megabytes of its files", minimum=1, maximum=262_144
    )
    bundle_key_signatures: int = _setting(
        1, "Signatures by different keys of role `keys` that a bundle's change of keys needs", minimum=1, maximum=8
    )
    bundle_watch_s: float = _setting(
        120.0,
        "Seconds for which a new bundle is watched while it serves, before the one it replaced gives way for good",
        minimum=0,
        maximum=86_400,
    )
    log_level: str = _setting("info", "Least level that is logged: debug, info, warning or error")
    log_format: str = _setting(
        "auto", "Form of the log: json (one object a line), text, or auto: json in systemd's journal, text elsewhere"
    )
