"""The settings that a bundle may carry, and reading them out of one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from appliance.errors import SettingInvalid
from appliance.settings.load import from_yaml

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
    found = from_yaml(path)
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
