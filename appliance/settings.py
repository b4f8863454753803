"""One table of settings: name, type, default, help. Values come from defaults, a YAML file, then the environment.

`SETTINGS` is the table; docs/settings.md is generated from it and a test keeps the two equal. Reading happens only
when `load_settings` is called: importing this module reads neither files nor the environment.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from appliance.errors import SettingInvalid

BACKENDS = ("tensorrt", "onnxruntime-cuda", "onnxruntime-cpu")
"""Backends that a network may be served by, the usual order of trying them."""

PREFIX = "APPLIANCE_"
"""Environment variables are this prefix and the setting's name in capitals."""

PIN_HASH = r"scrypt:1[4-7]:8:1:[0-9a-f]{32}:[0-9a-f]{64}"
"""Form of `service_pin`: what `channels.technician.pin` makes of a PIN and compares with."""

CONFIG_VARIABLE = PREFIX + "CONFIG"
"""Environment variable that names the settings file; the one APPLIANCE_ variable that is no setting."""


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


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table."""

    name: str
    """Name in YAML and, in capitals behind APPLIANCE_, in the environment."""
    type: str
    """Type as written in the docs."""
    default: object
    """Value when nothing is said."""
    help: str
    """What it does."""
    minimum: float | None
    """Smallest number accepted."""
    maximum: float | None
    """Largest number accepted."""

    @property
    def variable(self) -> str:
        """Environment variable that sets it."""
        return PREFIX + self.name.upper()


def _table() -> dict[str, Setting]:
    defaults = Settings()
    return {
        f.name: Setting(
            f.name,
            str(f.type),
            getattr(defaults, f.name),
            f.metadata["help"],
            f.metadata["minimum"],
            f.metadata["maximum"],
        )
        for f in fields(Settings)
    }


SETTINGS: dict[str, Setting] = _table()
"""Every setting by name."""

_CHOICES = {
    "log_level": ("debug", "info", "warning", "error"),
    "log_format": ("auto", "json", "text"),
    "backends": BACKENDS,
    "required": ("language", "dialogue", "ocr", "vad", "asr", "microphone", "speech", "camera"),
    "voice": ("off", "push", "wake"),
    "governor": ("auto", "on", "off"),
    "speech_engine": ("auto", "sherpa", "espeak", "off"),
    "barge_in": ("auto", "on", "off"),
}


_SWITCH = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
"""What YAML and people write for a setting that is either on or off."""


def _convert(setting: Setting, value: object, origin: str) -> object:
    """Turn a YAML or environment value into the setting's type, or raise SettingInvalid naming its origin."""
    kind: Any = type(setting.default)
    try:
        if kind is tuple:
            items = value.split(",") if isinstance(value, str) else value
            if not isinstance(items, list | tuple):
                raise TypeError
            converted: Any = tuple(str(item).strip() for item in items if str(item).strip())
        elif kind is bool:
            converted = value if isinstance(value, bool) else _SWITCH[str(value).strip().lower()]
        elif value is None or isinstance(value, bool | list | dict) or _has_fraction(kind, value):
            raise TypeError
        else:
            converted = kind(value)
    except (TypeError, ValueError, KeyError):
        raise SettingInvalid(
            f"{setting.name} ({origin}): expected {setting.type}, got {_seen(setting.name, value)}"
        ) from None
    return _bounded(setting, converted, origin)


def _seen(name: str, value: object) -> str:
    """What was found, for the log and whoever stands there: no secret, and no more than a line of it."""
    if name.endswith(("_token", "_key")) or isinstance(value, list | tuple | dict):
        return type(value).__name__
    return repr(value)[:80]


def _has_fraction(kind: type, value: object) -> bool:
    return kind is int and isinstance(value, float) and not value.is_integer()


def _bounded(setting: Setting, value: Any, origin: str) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        # NaN compares false with everything, so the test is written as "inside", not "outside".
        low = setting.minimum is None or value >= setting.minimum
        high = setting.maximum is None or value <= setting.maximum
        if not (low and high):
            span = f"{setting.minimum} to {setting.maximum}"
            raise SettingInvalid(f"{setting.name} ({origin}): expected {span}, got {value}")
    choices = _CHOICES.get(setting.name)
    if choices:
        for item in value if isinstance(value, tuple) else (value,):
            if item not in choices:
                raise SettingInvalid(f"{setting.name} ({origin}): expected one of {', '.join(choices)}, got {item!r}")
    return value


def _from_yaml(path: Path) -> dict[str, object]:
    import yaml  # lazy: importing settings must stay light

    try:
        loaded = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise SettingInvalid(
            f"settings file {path}: {error.strerror}",
            remedy=(f"请创建 {path}，或去掉 --config", f"Create {path} or drop --config"),
        ) from error
    except yaml.YAMLError as error:
        # Without the line that YAML would quote: it may be the token's.
        mark = getattr(error, "problem_mark", None)
        at = f" (line {mark.line + 1})" if mark is not None else ""
        found = getattr(error, "problem", None) or "characters that YAML has not"
        raise SettingInvalid(f"settings file {path}: expected YAML, got {found}{at}") from error
    except (ValueError, RecursionError) as error:  # no UTF-8; a date or number that cannot be; nested without end
        raise SettingInvalid(f"settings file {path}: expected YAML, got {type(error).__name__}") from error
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise SettingInvalid(f"settings file {path}: expected names with values, got {type(loaded).__name__}")
    return {str(name): value for name, value in loaded.items()}


CARRIED = frozenset(
    {
        *("backends", "engines_weak", "tensorrt_graphs", "onnxruntime_threads", "ocr_max_side", "ocr_orientation"),
        *("required", "deadline_s", "max_text_chars", "max_audio_seconds", "voice", "barge_in", "speaker_volume"),
        *("speech_engine", "speech_silence_s", "speech_longest_s", "speech_grammar"),
        *("page_idle_s", "page_attract_s", "session_idle_s"),
    }
)
"""Settings that a bundle may carry: what goes with its models and pack. Never who may reach the machine, tokens, paths,
commands, how long records are kept, or how bundles come in: those are the site's own."""


def carried_settings(path: Path) -> Mapping[str, object]:
    """The settings in a bundle's file at `path`. Raises SettingInvalid for one that no bundle may carry."""
    found = _from_yaml(path)
    if foreign := sorted(set(found) - CARRIED):
        raise SettingInvalid(
            f"{foreign[0]} ({path.name} of the bundle): expected settings that a bundle may carry, such as "
            f"{', '.join(sorted(CARRIED)[:4])}",
            remedy=(
                f"请从更新包的设置中去掉 {foreign[0]}，它只能在本机设置",
                f"Take {foreign[0]} out of the bundle's settings: it is set on the machine itself",
            ),
        )
    return found


def load_settings(
    path: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
    *,
    beneath: Mapping[str, object] | None = None,
) -> Settings:
    """Read defaults, then the YAML file at `path`, then `environ` (default os.environ), then `overrides`.

    `beneath` are settings of a bundle, which stand between the defaults and the file: what the site says holds.

    Raises SettingInvalid for an unknown name, a wrong type, a value out of range or settings that contradict
    each other. Unknown APPLIANCE_ variables are refused too: a misspelt setting must not pass in silence.
    """
    environ = os.environ if environ is None else environ
    raw: dict[str, tuple[object, str]] = {name: (value, "bundle") for name, value in (beneath or {}).items()}
    if path is not None:
        raw.update({name: (value, str(path)) for name, value in _from_yaml(path).items()})
    for variable, value in environ.items():
        if variable.startswith(PREFIX) and variable != CONFIG_VARIABLE:
            raw[variable[len(PREFIX) :].lower()] = (value, variable)
    raw.update({name: (value, "command line") for name, value in (overrides or {}).items()})
    unknown = sorted(set(raw) - set(SETTINGS))
    if unknown:
        name = unknown[0]
        raise SettingInvalid(f"{name} ({raw[name][1]}): no such setting; known are {', '.join(sorted(SETTINGS))}")
    values: dict[str, Any] = {name: _convert(SETTINGS[name], value, origin) for name, (value, origin) in raw.items()}
    settings = Settings(**values)
    _check_together(settings)
    return settings


def _check_together(settings: Settings) -> None:
    if bool(settings.http_tls_certificate) != bool(settings.http_tls_key):
        raise SettingInvalid("http_tls_certificate and http_tls_key: expected both or none, got one")
    if settings.admitted * 2 > settings.http_threads:
        raise SettingInvalid(
            f"admitted: expected at most half of http_threads ({settings.http_threads // 2}), got {settings.admitted}"
        )
    if settings.session_idle_s < settings.page_idle_s:
        raise SettingInvalid(
            f"session_idle_s: expected at least page_idle_s ({settings.page_idle_s:g}), "
            f"got {settings.session_idle_s:g}",
            remedy=(
                "请把 APPLIANCE_SESSION_IDLE_S 设为不小于 APPLIANCE_PAGE_IDLE_S 的秒数",
                "Set APPLIANCE_SESSION_IDLE_S to the seconds of APPLIANCE_PAGE_IDLE_S or more",
            ),
        )
    if settings.camera_format and not (len(settings.camera_format) == 4 and settings.camera_format.isascii()):
        raise SettingInvalid(
            f"camera_format: expected four characters such as MJPG or YUYV, got {settings.camera_format!r}"
        )
    if settings.temperature_ceiling_c >= settings.temperature_critical_c:
        raise SettingInvalid(
            f"temperature_ceiling_c: expected less than temperature_critical_c ({settings.temperature_critical_c:g}), "
            f"got {settings.temperature_ceiling_c:g}",
            remedy=(
                "请把 APPLIANCE_TEMPERATURE_CEILING_C 设得低于 APPLIANCE_TEMPERATURE_CRITICAL_C",
                "Set APPLIANCE_TEMPERATURE_CEILING_C below APPLIANCE_TEMPERATURE_CRITICAL_C",
            ),
        )
    for network in settings.lan_peers:
        _check_network(network)
    if settings.service_pin and re.fullmatch(PIN_HASH, settings.service_pin) is None:
        raise SettingInvalid(  # without what was found: it may be the PIN itself
            "service_pin: expected the line that `appliance service pin` prints, got something else",
            remedy=(
                "请运行 `appliance service pin` 并写入其输出",
                "Run `appliance service pin` and take its output",
            ),
        )
    if settings.speech_engine == "sherpa" and not settings.speech_voice:
        raise SettingInvalid("speech_engine: expected speech_voice to name a voice's folder beside sherpa, got none")
    if not is_loopback(settings.http_host) and not settings.http_token:
        raise SettingInvalid(
            f"http_host: {settings.http_host} is reachable by strangers and needs http_token, got none",
            remedy=(
                "请把 APPLIANCE_HTTP_TOKEN 设为一段长随机字符串，或只监听 127.0.0.1",
                "Set APPLIANCE_HTTP_TOKEN to a long random string, or listen on 127.0.0.1",
            ),
        )
    if not settings.http_token.isascii() or not settings.http_token.isprintable():
        raise SettingInvalid("http_token: expected printable ASCII, as a header can carry it, got something else")
    if settings.http_token and len(settings.http_token) < 16:
        raise SettingInvalid(f"http_token: expected at least 16 characters, got {len(settings.http_token)}")
    if not settings.bundle_token.isascii() or not settings.bundle_token.isprintable():
        raise SettingInvalid("bundle_token: expected printable ASCII, as a header can carry it, got something else")
    if settings.bundle_token and len(settings.bundle_token) < 16:
        raise SettingInvalid(f"bundle_token: expected at least 16 characters, got {len(settings.bundle_token)}")


def _check_network(network: str) -> None:
    try:
        ipaddress.ip_network(network)
        if "%" in network:  # a zone (fe80::1%eth0) may hold anything, line ends too, and systemd filters by none
            raise ValueError("a zone (%) cannot be filtered by")
    except ValueError as error:  # it says what is wrong, host bits for example
        raise SettingInvalid(
            f"lan_peers: expected an address or a network such as 192.168.1.0/24, got {network!r}: {error}"
        ) from None


def is_loopback(host: str) -> bool:
    """True when `host` can be reached from this machine only: localhost, or an address of the loopback network."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False  # a name: who knows where it leads
    # A listener on `::` sees 127.0.0.1 as ::ffff:127.0.0.1, which Python takes for a stranger until 3.13.
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def data_dir(settings: Settings, environ: Mapping[str, str] | None = None) -> Path:
    """Folder for models and records: the setting, or $XDG_DATA_HOME/appliance, or ~/.local/share/appliance."""
    if settings.data_dir:
        return Path(settings.data_dir).expanduser()
    environ = os.environ if environ is None else environ
    home = environ.get("XDG_DATA_HOME")
    if home:
        return Path(home) / "appliance"
    try:
        return Path.home() / ".local" / "share" / "appliance"
    except RuntimeError as error:  # a user without an entry in passwd and without HOME
        raise SettingInvalid(
            "data_dir: expected a folder, got none, and this user has no home",
            remedy=("请设置 APPLIANCE_DATA_DIR", "Set APPLIANCE_DATA_DIR"),
        ) from error
