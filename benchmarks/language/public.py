"""Public sets that the language models are compared on: CrossWOZ's slots and xSID's intents, as plain sentences.

Both lie beside a checkout, not in it: CrossWOZ (Zhu et al. 2020, Apache-2.0) and xSID (van der Goot et al. 2021, CC
BY-SA 4.0). What is trained on them is measured and thrown away; nothing of it enters a shipped file.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

from export.train.sentences import Sentence, Span

SLOTS = ("名称", "评分", "推荐菜", "人均消费", "门票", "游玩时间", "酒店类型", "价格", "出发地", "目的地")
"""CrossWOZ's ten frequent slots whose values stand in what the user says."""


def crosswoz(folder: Path, part: str) -> list[Sentence]:
    """User turns of CrossWOZ (`part` val or test) with the values of SLOTS marked where they stand in the text."""
    with zipfile.ZipFile(folder / f"{part}.json.zip") as archive:
        dialogues = json.loads(archive.read(f"{part}.json"))
    return [
        Sentence(message["content"], "", _marked(message["content"], message["dialog_act"]))
        for dialogue in dialogues.values()
        for message in dialogue["messages"]
        if message["role"] == "usr" and message["content"].strip()
    ]


def _marked(text: str, acts: list[list[str]]) -> tuple[Span, ...]:
    """Spans of the values in `acts`, the longer first, none overlapping."""
    found: list[Span] = []
    for _, _, slot, value in sorted(acts, key=lambda act: -len(act[3])):
        if slot not in SLOTS or not value or value == "none":
            continue
        at = text.find(value)
        while at >= 0 and any(at < span.end and span.start < at + len(value) for span in found):
            at = text.find(value, at + 1)
        if at >= 0:
            found.append(Span(at, at + len(value), slot))
    return tuple(sorted(found, key=lambda span: span.start))


def xsid(folder: Path, part: str) -> list[Sentence]:
    """Sentences of xSID's Chinese `part`, valid or test, with their intents."""
    return list(_conll((folder / f"zh.{part}.conll").read_text("utf-8")))


def _conll(text: str) -> Iterator[Sentence]:
    words = label = ""
    for line in [*text.splitlines(), ""]:
        if line.startswith("# text = "):
            words = line.removeprefix("# text = ")
        elif line.startswith("# intent = "):
            label = line.removeprefix("# intent = ")
        elif not line.strip() and words:
            yield Sentence(words, label, spanned=False)
            words = label = ""
