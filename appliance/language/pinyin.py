"""Homophones: folds Chinese characters to one private character per syllable, so that sound can be compared.

Tone is dropped, and so are the distinctions that southern speakers and small recognisers lose: zh/z, ch/c, sh/s, n/l
at the front, ng/n behind i and e. Readings are pypinyin's first one for each character; its table is read as a file,
because importing the package loads 60 MB of phrases that single characters never need.
"""

from __future__ import annotations

import importlib.util
import json
import re
import unicodedata
from pathlib import Path

from appliance.errors import ApplianceError

_FIRST = 0xF0000
_HAN = range(0x4E00, 0xA000)
_ZERO = 0x3007  # 〇
_FOLDS = (
    (re.compile(r"^([zcs])h"), r"\1"),
    (re.compile(r"^n(?=.)"), "l"),
    (re.compile(r"(?<=[ie])ng$"), "n"),
)


def read_table() -> dict[int, str]:
    """Code point to pypinyin's readings with tones, comma-separated; raises ApplianceError where it is missing."""
    spec = importlib.util.find_spec("pypinyin")
    folders = spec.submodule_search_locations if spec else None
    path = Path(folders[0]) / "pinyin_dict.json" if folders else Path("pinyin_dict.json")
    if not path.is_file():
        raise ApplianceError(
            f"expected pypinyin's table of readings at {path}, got no such file",
            remedy=("请运行 `pip install pypinyin`", "Run `pip install pypinyin`"),
        )
    return {int(code): readings for code, readings in json.loads(path.read_text("utf-8")).items()}


def fold_syllable(reading: str) -> str:
    """One reading without tone and without the distinctions that are lost in hearing: zhǐ -> zi, nǚ -> lu."""
    letters = "".join(c for c in unicodedata.normalize("NFD", reading) if not unicodedata.combining(c))
    for pattern, replacement in _FOLDS:
        letters = pattern.sub(replacement, letters)
    return letters


class Syllables:
    """Maps each Chinese character to a private-use character that stands for its sound. Never changes."""

    def __init__(self) -> None:
        """Read the table of readings and give every folded syllable its character."""
        codes: dict[str, str] = {}
        folded: dict[str, str] = {}
        self._sounds: dict[int, str] = {}
        for code, readings in read_table().items():
            if code in _HAN or code == _ZERO:
                first = readings.partition(",")[0]
                syllable = folded.get(first) or folded.setdefault(first, fold_syllable(first))
                self._sounds[code] = codes.setdefault(syllable, chr(_FIRST + len(codes)))

    def fold(self, text: str) -> str:
        """`text` with every Chinese character replaced by its sound; same length, other characters unchanged."""
        return text.translate(self._sounds)
