"""What the appliance says of itself: its state to whoever keeps it, its greeting to whoever comes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from appliance import __version__
from appliance.app.device import device
from appliance.app.rooms import Rooms
from appliance.inference.admission import Admission


def status(rooms: Rooms, gates: Iterable[Admission], uptime_s: float) -> dict[str, object]:
    """What `/v1/status` says of an appliance with these rooms, its gates, and `uptime_s` seconds of work."""
    settings = rooms.settings
    return {
        "version": __version__,
        "pack": rooms.pack.name,
        "uptime_s": round(uptime_s, 1),
        "admitted": {gate.name: asdict(gate.counters) for gate in gates},
        "sessions": rooms.dialogue.open_sessions,
        "limits": {
            "text_chars": settings.max_text_chars,
            "image_bytes": settings.max_image_bytes,
            "image_pixels": settings.max_image_pixels,
            "audio_seconds": settings.max_audio_seconds,
        },
        "device": device(rooms.board),
        **rooms.details(),
    }


def greeting(rooms: Rooms, language: str) -> dict[str, object]:
    """What the page shows before anybody has said a word, in `language`, and how long it waits for one."""
    pack = rooms.pack
    return {
        "idle_s": rooms.settings.page_idle_s,
        "attract_s": rooms.settings.page_attract_s,
        "forget_s": rooms.settings.session_idle_s,
        "title": pack.title.said_in(language),
        "welcome": pack.welcome.said_in(language),
        "suggestions": [
            {"label": s.label.said_in(language), "text": s.text.said_in(language), "intent": s.intent}
            for s in pack.suggestions
        ],
        "asks": {
            name: {slot.name: list(slot.types) for slot in flow.slots if slot.ask and slot.types}
            for name, flow in pack.flows.items()
            if any(slot.ask and slot.types for slot in flow.slots)
        },
    }
