"""What Vosk takes and gives: 16-bit samples in, words as JSON out, and grammars of phrases."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from appliance.speech.asr import join_words, unspaced
from appliance.speech.resample import RATE
from appliance.values import Word

CHUNK = RATE // 4
"""Samples given to Vosk at a time: it decodes in bursts of about this length anyway."""
TAIL = int(0.3 * RATE)
"""Samples of silence behind what is heard: the decoder looks ahead, and without them the last word may be lost."""
UNKNOWN = "[unk]"
"""The word by which a model that has it hears everything that a grammar does not list."""

_NOT_WORD = re.compile(r"|<.*>|!SIL|\[[A-Za-z_]+\]")
"""What models write for noise, silence and words that they do not know: `[unk]`, `<UNK>`, `!SIL`, `[FIL]`."""
_LONGEST_WORD = 8
"""Characters of the longest word that is looked for inside Chinese, which is written without spaces."""


def pcm(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.int16]:
    """Samples in [-1, 1] as little-endian 16-bit ones of the same shape; what lies outside is clipped."""
    return np.rint(np.clip(samples, -1.0, 1.0) * 32767).astype("<i2")


def words(result: str, shift: float, start: float, end: float) -> Iterator[Word]:
    """Words of one Vosk result, moved by `shift` seconds and kept inside [`start`, `end`]."""
    for row in json.loads(result).get("result", ()):
        if _NOT_WORD.fullmatch(row["word"]):
            continue
        first, last = (min(max(row[key] + shift, start), end) for key in ("start", "end"))
        confidence = min(max(float(row["conf"]), 0.0), 1.0)
        yield Word(row["word"], first, last, 0.0 if math.isnan(confidence) else confidence)


def partial(result: str) -> str:
    """Text of a partial result, written as people write it."""
    said = str(json.loads(result).get("partial", "")).split()
    return join_words([word for word in said if not _NOT_WORD.fullmatch(word)])


def grammar(phrases: Sequence[str], knows: Callable[[str], bool]) -> tuple[str, tuple[str, ...]]:
    """A grammar of `phrases` for Vosk, and the words of them that the model does not know, each once.

    `knows` says whether a word is in the model's vocabulary. Chinese is parted into as few known words as possible.
    The place of an unknown word is taken by `[unk]` where the model has that, and left out where not. The grammar is
    empty when nothing of the phrases is known.
    """
    unknown: dict[str, None] = {}
    lines: dict[str, None] = {}
    filler = [UNKNOWN] if knows(UNKNOWN) else []
    for phrase in phrases:
        line: list[str] = []
        for token in re.findall(r"[\w'’-]+", phrase):
            for word, known in _parted(token, knows):
                if not known:
                    unknown[word] = None
                line += [word] if known else filler
        if set(line) - {UNKNOWN}:
            lines[" ".join(line)] = None
    if not lines:
        return "", tuple(unknown)
    return json.dumps([*lines, *filler], ensure_ascii=False), tuple(unknown)


def _parted(token: str, knows: Callable[[str], bool]) -> list[tuple[str, bool]]:
    """`token` as the known words that it consists of, with True; what is between them, with False."""
    for whole in dict.fromkeys((token, token.lower())):
        if knows(whole):
            return [(whole, True)]
    if not any(unspaced(character) for character in token):
        return [(token, False)]
    token = token.lower()
    # best[n]: fewest unknown characters, then fewest words, of the first n characters, and the last word of them.
    best: list[tuple[int, int, str, bool]] = [(0, 0, "", True)]
    for end in range(1, len(token) + 1):
        missed, count = best[end - 1][:2]
        options = [(missed + 1, count + 1, token[end - 1], False)]
        for start in range(max(0, end - _LONGEST_WORD), end):
            word = token[start:end]
            if knows(word):
                options.append((best[start][0], best[start][1] + 1, word, True))
        best.append(min(options, key=lambda option: option[:2]))
    parts: list[tuple[str, bool]] = []
    end = len(token)
    while end:
        _, _, word, known = best[end]
        if not known and parts and not parts[-1][1]:
            parts[-1] = (word + parts[-1][0], False)
        else:
            parts.append((word, known))
        end -= len(word)
    return parts[::-1]
