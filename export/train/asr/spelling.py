"""Makes the character model of the pinyin step from texts: how characters follow each other, and how each is read."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from appliance.language.pinyin import read_table
from appliance.speech.ctc.characters import Order, Spelling
from export.train.asr import ngram, units
from export.train.asr.ngram import Built
from export.train.asr.text import Line
from export.train.noise import is_common

ORDER, LEAST = 4, (1, 1, 2)
"""Length of the longest n-gram, and how often those of 2, 3 and 4 characters must have been seen to be kept."""
TIMES = {"written": 3, "question": 3, "phrase": 2, "template": 1, "drill": 1}
"""How often a line counts, by where it is from: templates repeat themselves."""
_RARE = 0.02
"""Share of a character's readings that those have which no text showed."""


def common() -> list[str]:
    """The 3,755 common characters: they can be written although no text has them."""
    return [chr(code) for code in sorted(read_table()) if is_common(chr(code))]


def words() -> list[str]:
    """Words of pypinyin's dictionary: two to four common characters each."""
    from pypinyin.phrases_dict import phrases_dict

    return sorted(word for word in phrases_dict if 2 <= len(word) <= 4 and all(is_common(c) for c in word))


def make(lines: Sequence[Line], names: Iterable[str], *, order: int = ORDER, least: Sequence[int] = LEAST) -> Spelling:
    """The spelling of `lines`, of dictionary words and of all common characters, for the units `names`."""
    texts = [(line.bare, TIMES[line.source]) for line in lines if line.source != "drill"]
    extra = common()
    built = ngram.build(texts, words(), (*extra, *units.LETTERS), order, least)
    return joined(built, tuple(names), readings((text for text, _ in texts), built.characters))


def readings(texts: Iterable[str], characters: Sequence[str]) -> dict[str, dict[str, float]]:
    """Character to unit to share of its readings: as the texts have it, with a little for every other reading."""
    from pypinyin import Style, pinyin

    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for text in texts:
        for character, unit in units.read(text):
            counts[character][unit] += 1
    found: dict[str, dict[str, float]] = {}
    for character in characters:
        if len(character) != 1:
            continue
        if character in units.LETTERS:
            found[character] = {character: 1.0}
            continue
        seen = counts[character]
        listed = pinyin(character, style=Style.TONE3, neutral_tone_with_five=True, heteronym=True)[0]
        known = [units.named(sound) for sound in listed]
        total = sum(seen.values()) or 1
        shares = {unit: count / total for unit, count in seen.items()} if seen else {known[0]: 1.0}
        found[character] = {unit: max(shares.get(unit, 0.0), _RARE) for unit in dict.fromkeys((*shares, *known))}
    return found


def joined(built: Built, names: tuple[str, ...], reads: dict[str, dict[str, float]]) -> Spelling:
    """An n-gram model and readings as the appliance uses them."""
    base, numbers = len(built.characters), {c: n for n, c in enumerate(built.characters)}
    orders = []
    for n, table in enumerate(built.probability, 1):
        keys = np.array([sum(c * base ** (n - 1 - at) for at, c in enumerate(gram)) for gram in table], np.int64)
        sort = keys.argsort()
        logp = np.fromiter(table.values(), np.float32, len(table))[sort]
        behind = built.backoff[n - 1] if n <= len(built.backoff) else {}
        backoff = np.array([behind.get(gram, 0.0) for gram in table], np.float32)[sort]
        orders.append(Order(keys[sort], logp, backoff))
    by_unit: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
    for character, shares in reads.items():
        for unit, share in shares.items():
            by_unit[unit].append((numbers[character], float(np.log(share))))
    rows = [sorted(by_unit.get(name, ())) for name in names]
    first = np.concatenate(([0], np.cumsum([len(row) for row in rows]))).astype(np.int64)
    flat = [pair for row in rows for pair in row]
    return Spelling(
        names,
        built.characters,
        tuple(orders),
        first,
        np.array([character for character, _ in flat], np.int64),
        np.array([chance for _, chance in flat], np.float32),
    )
