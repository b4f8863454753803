"""From the text of an answer to what a voice says: runs of Chinese words and of English ones, pauses as punctuation.

A sentence without a Chinese character is read in English, one with in Chinese with its Latin words in English; where
English was asked for, figures in a mixed sentence are read in English too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from appliance.speech.tts import chinese, english, spell
from appliance.speech.tts.clean import cleaned

_HAN = "\u4e00-\u9fff\u3007"
_WIDE = {",": "，", ".": "。", "?": "？", "!": "！", ";": "；", ":": "：", "、": "、", "。": "。"}
_NARROW = {",": ",", ".": ".", "?": "?", "!": "!", ";": ";", ":": ":", "、": ",", "。": "."}
_ENDS = re.compile(r"(?<=。)\s*|(?<=[!?;])\s*(?![\w=&])|(?<=[!?;])\s+|(?<=[a-z)\d]\.)\s+(?=\S)|\n+", re.ASCII)
_WORD = re.compile(
    rf"(?P<zh>[{_HAN}]+)|(?P<en>[A-Za-z\d](?:[\w.·'-]|,(?=\d))*)|(?P<mark>[,.?!;:、。()\[\]{{}}\n-])", re.ASCII
)
_SPELLED_MOST = 5
"""Capitals in a row that are spelled at most; longer ones are a name: HUAWEI."""
_WORDS = frozenset(
    ["HELLO", "NO", "YES", "PLEASE", "AND", "OR", "THE", "TO", "IN", "ON", "OFF", "OPEN", "EXIT", "SALE"]
)
_LONGEST = 120
"""Characters of a piece at most, so that a text without full stops begins to be heard soon."""


@dataclass(frozen=True, slots=True)
class Run:
    """Words in one language, to be said by one voice."""

    text: str
    """Chinese characters with full-width pauses, or English words with ASCII ones."""
    language: str
    """`zh` or `en`."""


def pieces(text: str) -> tuple[str, ...]:
    """The sentences of `text`, cleaned, in order, each to be said by itself; empty where nothing can be said."""
    found = []
    for sentence in _ENDS.split(cleaned(text)):
        while len(sentence) > _LONGEST and (cut := max(sentence.rfind(mark, 0, _LONGEST) for mark in ",、 ")) > 0:
            found.append(sentence[: cut + 1].strip())
            sentence = sentence[cut + 1 :]
        found.append(sentence.strip())
    return tuple(one for one in found if re.search(rf"[A-Za-z\d{_HAN}]", one))


def spoken(text: str, language: str = "zh", *, telephone: bool = True) -> tuple[Run, ...]:
    """What is said of `text` in `language` (`zh` or `en`), as runs for one voice after the other; empty for nothing.

    `telephone` says 1 as 幺 in telephone numbers, codes and rooms. Never raises: what has no sound is left out.
    """
    runs: list[Run] = []
    for piece in pieces(text):
        han = re.search(f"[{_HAN}]", piece) is not None
        if language == "en" or (not han and _english(piece)):
            runs += _split(english.worded(piece))
        else:
            runs += _split(chinese.worded(piece, telephone=telephone))
    return _merged(runs)


def _english(piece: str) -> bool:
    """Whether a sentence without a Chinese character is one: 2 kg and VIP A012 are not."""
    return " " in piece and any(word not in chinese.UNITS for word in re.findall(r"[A-Za-z]*[a-z]{3,}", piece))


def plainly(runs: Sequence[Run]) -> str:
    """The runs as one text, for voices that read both scripts by themselves."""
    return " ".join(run.text for run in runs)


def _split(text: str) -> Iterator[Run]:
    """Runs of one script; a pause belongs to the run before it, and each piece ends with one."""
    run, language = "", ""
    for found in _WORD.finditer(text):
        if found["mark"]:
            run = _paused(run, language, found["mark"])
            continue
        if found.lastgroup != language and run:
            yield Run(run, language)
            run = ""
        language = found.lastgroup or ""
        if language == "zh":
            run += found.group()
        else:
            word = found.group().rstrip(".-'·")
            run += (" " if run else "") + _latin(word)
            run = _paused(run, language, found.group()[len(word) :][:1])
    if run:
        yield Run(_paused(run, language, "."), language)


def _paused(run: str, language: str, mark: str) -> str:
    """`run` with the pause for `mark` behind it; of several the strongest stands: a full stop, not a comma."""
    if not run or not mark:
        return run
    pauses = _WIDE if language == "zh" else _NARROW
    pause = pauses.get(mark, pauses[","] if mark in "()[]{}\n" else "")
    if not pause:
        return run
    if run[-1] in pauses.values():
        stronger = mark in ".?!。" and run[-1] not in ".?!。？！"
        return run[:-1] + pause if stronger else run
    return run + pause


def _latin(word: str) -> str:
    """A Latin word as the English voice reads it: spelled letters with dots, short capitals spelled, long ones a name.

    Dots keep espeak-ng from reading VIP as a word and the A of A B C as an article.
    """
    if spell.SPELLING in word:
        return ".".join(word.split(spell.SPELLING))
    if word.isalpha() and word.isupper() and len(word) > 1:
        if len(word) <= _SPELLED_MOST and word not in _WORDS:
            return ".".join(word)
        return word.capitalize()
    return word


def _merged(runs: Sequence[Run]) -> tuple[Run, ...]:
    merged: list[Run] = []
    for run in runs:
        if merged and merged[-1].language == run.language:
            between = "" if run.language == "zh" else " "
            merged[-1] = Run(merged[-1].text + between + run.text, run.language)
        else:
            merged.append(run)
    return tuple(merged)
