"""What the files beside a network tell of it: configuration, licence, and the languages that it is for."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from appliance.errors import ModelCorrupt, ModelMismatch
from appliance.speech.ctc.record import Record
from appliance.speech.ctc.tokens import Tokens
from appliance.speech.resample import RATE


def hugging_face(files: Mapping[str, Path], record: Record, kept: dict[str, Path]) -> Record:
    """What config.json and preprocessor_config.json say beside. Raises ModelMismatch for another front end."""
    made: dict[str, Any] = {}
    for name in ("config.json", "preprocessor_config.json"):
        place = next((one for one in files if Path(one).name == name), "")
        if place:
            made[name] = _json(files[place])
            kept[name] = files[place]
    config, front = made.get("config.json", {}), made.get("preprocessor_config.json", {})
    if front.get("sampling_rate", RATE) != RATE or front.get("feature_size", 1) != 1:
        raise ModelMismatch(
            f"preprocessor_config.json: expected a waveform at {RATE} Hz, got {front.get('sampling_rate')} Hz and "
            f"{front.get('feature_size')} features"
        )
    try:
        stride = math.prod(int(one) for one in config.get("conv_stride", (5, 2, 2, 2, 2, 2, 2)))
        if not 1 <= stride <= RATE:
            raise ValueError(f"a product of {stride}")
    except (TypeError, ValueError) as error:
        raise ModelCorrupt(f"config.json: expected conv_stride of whole numbers, got {error}") from error
    pad = config.get("pad_token_id")
    return replace(
        record,
        blank=pad if isinstance(pad, int) else record.blank,
        normalise=bool(front.get("do_normalize", True)),
        stride=stride,
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelCorrupt(f"{path.name}: expected JSON, got {error}") from error
    if not isinstance(value, dict):
        raise ModelCorrupt(f"{path.name}: expected a mapping, got {type(value).__name__}")
    return value


def written_in(tokens: Tokens) -> tuple[str, ...]:
    """Languages that tokens are written in, zh or en or both; none where they are in another script."""
    texts = [text for number, text in enumerate(tokens.texts) if tokens.is_text(number)]
    han = sum(bool(re.search(r"[\u4e00-\u9fff]", text)) for text in texts)
    latin = sum(bool(re.fullmatch(r"[▁'A-Za-z]+", text)) for text in texts)
    other = sum(bool(re.search(r"[^\W\d_\u4e00-\u9fffA-Za-z▁]", text)) for text in texts)
    found = (("zh",) if han > 100 else ()) + (("en",) if latin >= 20 and other < latin else ())
    return found if other < max(han, latin) else ()


def vosk_languages(name: str) -> tuple[str, ...]:
    """By the name of the folder, as Vosk calls its models: vosk-model-small-cn-0.22."""
    parts = re.split(r"[-_.]", name.lower())
    return ("zh",) if {"cn", "zh"} & {*parts} else ("en",) if "en" in parts else ()


def licence_of(files: Mapping[str, Path]) -> str:
    """`license:` of a README's front matter, as Hugging Face has it; empty where nothing is said."""
    readme = next((one for one in files if Path(one).name.lower() == "readme.md"), "")
    if not readme:
        return ""
    with files[readme].open(encoding="utf-8", errors="replace") as file:
        head = file.read(4096)
    front = re.match(r"---\n(.*?)\n---", head, re.DOTALL)
    found = front and re.search(r"^license:[ \t]*([A-Za-z0-9.+-]{1,40})[ \t]*$", front[1], re.MULTILINE)
    return found[1] if found else ""
