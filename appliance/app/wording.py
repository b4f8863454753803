"""What was heard as the rest of the appliance reads it, for one pack; and the pack's wake phrase."""

from __future__ import annotations

import threading
from collections.abc import Callable

from appliance.language.numbers.written import Writer
from appliance.language.parse import Parser
from appliance.language.spoken import Rewritten, Spoken, carriers_said
from appliance.packs.schema import Pack
from appliance.speech.wake import DEFAULT, Wake

Wording = Callable[[str], Rewritten]
"""From a recogniser's words to the text of a turn, with what each of its characters was made of."""
SPARED = ("person", "address")
"""Entities in which no name is put right: people and streets are called whatever they are called."""

NUMERALS = tuple("零一二三四五六七八九十百千万点幺两半")
"""What numbers are said with."""


def build_wording(pack: Pack, parser: Parser, *, heard: Callable[[], object]) -> Wording:
    """Numbers always; misheard names of the pack only where somebody is `heard`: their index takes time and memory.

    It is made now where something hears now, else with the first words after a recogniser has joined.
    """
    if heard():
        return _with_names(pack, parser)
    writer = Writer(surface for entry in pack.lexicon.gazetteer for surface in entry.surfaces)
    making = threading.Lock()
    made: list[Wording] = []

    def numbered(text: str) -> Rewritten:
        if heard():
            with making:
                if not made:
                    made.append(_with_names(pack, parser))
            return made[0](text)
        written = writer.write(text)
        return Rewritten(written.text, text, written.spans)

    return numbered


def _with_names(pack: Pack, parser: Parser) -> Wording:
    carriers = carriers_said(row["name_zh"] for row in pack.tables.get("carriers", ()))
    spoken = Spoken(pack.lexicon, carriers, [way for row in pack.faq for way in row.ways])

    def worded(text: str) -> Rewritten:
        spared = [(entity.start, entity.end) for entity in parser.entities(text) if entity.type in SPARED]
        return spoken.rewrite(text, spared)

    return worded


def fixed(pack: Pack) -> tuple[str, ...]:
    """What the kiosk says every day: the welcome, and answers without a value in them."""
    plain = (text for response in pack.responses.values() for text in response.zh if "{" not in text)
    return (pack.welcome.zh, *plain)


def likely(pack: Pack) -> tuple[str, ...]:
    """What customers of the pack say: its sentences, names, wake phrases and numerals; each once."""
    sentences = (sentence for rule in pack.lexicon.intents for sentence in rule.sentences)
    names = (surface for entry in pack.lexicon.gazetteer for surface in entry.surfaces)
    return tuple(dict.fromkeys((*sentences, *names, *(pack.wake or (DEFAULT,)), *NUMERALS)))


def build_wake(pack: Pack) -> Callable[[str], str | None]:
    """What finds the pack's wake phrase and gives the rest. Raises PackInvalid for a phrase that would not do."""
    said = [sentence for rule in pack.lexicon.intents for sentence in rule.sentences]
    wake = Wake(pack.wake or (DEFAULT,), common=said)

    def heard(text: str) -> str | None:
        woken = wake.hear(text)
        return woken.rest if woken is not None else None

    return heard
