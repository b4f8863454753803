"""recogniser.json: what a recogniser's folder is, written when it is installed and read when it is loaded."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from appliance.errors import ModelCorrupt, ModelMissing

FILE = "recogniser.json"
KINDS = ("sensevoice", "wav2vec2", "zipformer", "vosk")
_REMEDY = ("请重新导入该识别器", "Import the recogniser again")


@dataclass(frozen=True, slots=True)
class Record:
    """How a recogniser is loaded."""

    kind: str
    """One of `KINDS`."""
    languages: tuple[str, ...]
    """Languages that it serves, the first by default: zh, en."""
    network: str = ""
    """File of its network; empty for Vosk, which loads its folder itself."""
    tokens: str = ""
    """File of its tokens."""
    blank: int = 0
    """The class that stands for nothing."""
    normalise: bool = True
    """wav2vec2: whether the waveform is brought to variance 1."""
    stride: int = 320
    """wav2vec2: samples of one step."""


def write_record(record: Record, path: Path) -> None:
    """Write `record` as JSON. Raises OSError."""
    path.write_text(json.dumps(asdict(record), indent=1, ensure_ascii=False) + "\n", "utf-8")


def read_record(folder: Path) -> Record:
    """The record in `folder`. Raises ModelMissing without one, ModelCorrupt for one that is malformed."""
    path = folder / FILE
    try:
        row = json.loads(path.read_text("utf-8"))
        record = Record(**{**row, "languages": tuple(row["languages"])})
    except FileNotFoundError as error:
        raise ModelMissing(f"expected {FILE} in {folder.parent.name}, found none", remedy=_REMEDY) from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelCorrupt(f"{FILE}: expected a recogniser's record, got {error}", remedy=_REMEDY) from error
    if record.kind not in KINDS or not record.languages:
        raise ModelCorrupt(f"{FILE}: expected one of {', '.join(KINDS)}, got {record.kind!r}", remedy=_REMEDY)
    return record
