"""What a recogniser wrote, as the rest of the appliance reads it: names put right by sound, numbers written in digits.

Only for words that were heard; whoever types says what is meant. Names come first, because 五号电迟 is a battery
before 五号 is 5号. The word times of a transcript are carried along.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from appliance.language.lexicon import Lexicon
from appliance.language.near import Change, Names
from appliance.language.numbers.written import Writer
from appliance.language.phrases import phrases_of, read_words
from appliance.values import Word

CARRIER_TAILS = ("", "快递", "速运", "速递", "快运", "物流")
"""What is said behind a carrier's name."""


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A recogniser's text, rewritten."""

    text: str
    """Names as they are listed, numbers as people write them."""
    said: str
    """The text as the recogniser wrote it."""
    spans: tuple[tuple[int, int], ...]
    """For every character of `text`, the first and one-past-last character of `said` that it stands for."""
    changes: tuple[Change, ...] = ()
    """The names that were put right, with positions in `said`."""


def carriers_said(names: Iterable[str]) -> tuple[str, ...]:
    """How customers call carriers: 顺丰 as itself, 顺丰快递, 顺丰速运 and so on; Latin letters are left out."""
    short = [name.split(" ")[0].removesuffix("快递") for name in names]
    return tuple(dict.fromkeys(name + tail for name in short for tail in CARRIER_TAILS))


class Spoken:
    """Rewrites the texts of a recogniser for one pack. Thread-safe: nothing is changed after construction."""

    def __init__(self, lexicon: Lexicon, names: Iterable[str] = (), sentences: Iterable[str] = ()) -> None:
        """Know the pack's listed names and further `names`, such as carriers', and nothing else that sounds like them.

        What the pack's sentences and `sentences` (its frequent questions) say is not taken for a misheard name.
        """
        listed = [surface for entry in lexicon.gazetteer for surface in entry.surfaces]
        meant = [sentence for rule in lexicon.intents for sentence in rule.sentences]
        often, once = phrases_of([*meant, *sentences])
        self._names = Names(
            [*listed, *names],
            read_words() | often,
            once=once,
            before=lexicon.single_before or "$",
            after=lexicon.single_after,
        )
        self._writer = Writer([*listed, *names])

    def rewrite(self, said: str, spared: Iterable[tuple[int, int]] = ()) -> Rewritten:
        """`said` as people write it; inside the spans `spared` (people, addresses) no name is put right."""
        corrected = self._names.correct(said, spared)
        written = self._writer.write(corrected.text)
        return Rewritten(written.text, said, written.spans, corrected.changes)


def retimed(words: Sequence[Word], rewritten: Rewritten) -> tuple[Word, ...]:
    """The `words` of a transcript, whose text is `rewritten.said`, in the text that was made of them.

    A number is one word from the beginning of its first to the end of its last; its confidence is their mean.
    """
    of_word: list[int | None] = [None] * len(rewritten.said)
    at = 0
    for number, word in enumerate(words):
        start = rewritten.said.find(word.text, at)
        if start < 0:
            raise ValueError(f"expected word {number} behind character {at}, got none")
        at = start + len(word.text)
        of_word[start:at] = [number] * len(word.text)
    found = []
    pairs = zip(rewritten.text, rewritten.spans, strict=True)
    for key, group in groupby(pairs, key=lambda pair: _belongs(pair[1], of_word)):
        if key:
            parts = [words[number] for number in key]
            confidence = sum(part.confidence for part in parts) / len(parts)
            text = "".join(character for character, _ in group)
            found.append(Word(text, parts[0].start, parts[-1].end, confidence))
    return tuple(found)


def _belongs(span: tuple[int, int], of_word: Sequence[int | None]) -> tuple[int, ...]:
    """Numbers of the words that a span of the said text touches."""
    return tuple(dict.fromkeys(number for number in of_word[slice(*span)] if number is not None))
