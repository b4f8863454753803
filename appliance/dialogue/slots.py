"""What a turn says about slots: which entity, option, row or word fills which."""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from appliance.dialogue.tables import folded
from appliance.dialogue.tracker import PRIVATE, Filled, SessionState
from appliance.language.redact import PERSONAL
from appliance.packs.task import Flow, Slot
from appliance.packs.vocabulary import ABSENT
from appliance.values import Entity, Parse, Turn

_SURE = 0.8
"""Entity confidence from which a value counts as certain."""

_VOLUNTEERED = 0.55
"""Entity confidence from which a slot is filled without having been asked for."""

_CAPTURED = 0.4
"""The same for what stood in a template's place for a name: the sentence itself speaks for it."""

_TELLING, _ALONE = 3, 0.75
"""Characters, and share of the turn's words, from which an option's words need no question and no intent."""

_LONGEST_TEXT = 60
_NEGATED = re.compile(r"(?:不是|不要|不想|(?<!要)不|别|没有|没|(?<![a-z])(?:not|don't|no))\s*$")
_CORRECTED = re.compile(r"(?:(?<!是)不是|(?<!要)不要|不想要|不找|不买|(?<![a-z])not(?: the| a)?)\s*$")
"""What stands before a thing that is denied for the sake of another: 不是电水壶，是电饭煲."""

_PUNCTUATION = " \t\r\n,.!?;:~\"'" + "，。！？；：…～、“”"
_ORDINALS = {"一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6}
_ENGLISH_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")
_ORDINAL = re.compile(r"(?:我要|要|选|就|是)?第?([一二两三四五六1-6])(?:个|种|款|项|号|条)?(?:吧|的)?")
_ENGLISH_ORDINAL = re.compile(rf"(?:the )?({'|'.join(_ENGLISH_ORDINALS)})(?: one)?")


def said(turn: Turn, parse: Parse) -> str:
    """The turn's words, cleaned, lower-cased and without punctuation at the ends."""
    return (parse.clean or turn.text).strip(_PUNCTUATION).lower()


def fits(slot: Slot, entity: Entity, today: datetime.date) -> bool:
    """True when the entity's type fills the slot and its value passes the slot's check."""
    if entity.type not in slot.types:
        return False
    if slot.check == "past":
        try:
            return datetime.date.fromisoformat(entity.value) <= today
        except ValueError:
            return False
    return True


def meant(turn: Turn, entities: Sequence[Entity]) -> list[Entity]:
    """The entities without those that the turn denies while it names another of their type: 不是电水壶，是电饭煲."""
    denied = [e for e in entities if _CORRECTED.search(turn.text[: e.start].lower())]
    return [e for e in entities if e not in denied or all(o in denied for o in entities if o.type == e.type)]


def of_entity(entity: Entity, turn: Turn) -> Filled:
    """The entity as a slot's value; what was heard or read in a photo is not certain, a barcode or a tap is."""
    direct = turn.source in ("text", "tap", "barcode") or entity.source in ("barcode", "tap")
    # What stood in a template's place for a name is in no list, and asking whether it was said would not help.
    sure = direct and (entity.confidence >= _SURE or entity.source == "template")
    return Filled(entity.value, entity.type, entity.text, dict(entity.detail), sure, partial=turn.partial)


def ordinal(text: str) -> int | None:
    """1 for 第一个, 'the first one' or '1'; None where the whole text is no such word."""
    match = _ORDINAL.fullmatch(text)
    if match:
        return _ORDINALS.get(match[1]) or int(match[1])
    english = _ENGLISH_ORDINAL.fullmatch(text)
    return _ENGLISH_ORDINALS.index(english[1]) + 1 if english else None


def _spans(text: str, word: str) -> list[tuple[int, int]]:
    """Where the word stands in the text and is not denied just before."""
    pattern = rf"(?<![a-z]){re.escape(word)}(?![a-z])" if word.isascii() else re.escape(word)
    return [match.span() for match in re.finditer(pattern, text) if not _NEGATED.search(text[: match.start()])]


def of_options(slot: Slot, text: str, *, asked: bool) -> Filled | None:
    """The one option that the text means; None when it means none or several.

    A word inside a longer word of another option does not count: 有小票 in 没有小票.
    """
    found = [(span, option) for option in slot.options for word in option.words for span in _spans(text, word)]
    whole = [
        (span, option)
        for span, option in found
        if not any(_inside(span, longer) for longer, other in found if other.value != option.value)
    ]
    if len({option.value for _, option in whole}) == 1:
        (start, end), option = max(whole, key=lambda item: item[0][1] - item[0][0])
        return Filled(option.value, "option", text[start:end])
    place = ordinal(text) if asked and not whole else None
    if place is not None and place <= len(slot.options):
        return Filled(slot.options[place - 1].value, "option", text)
    return None


def _inside(span: tuple[int, int], longer: tuple[int, int]) -> bool:
    return longer[0] <= span[0] and span[1] <= longer[1] and span != longer


def of_choices(choices: Sequence[Mapping[str, str]], text: str, entities: Collection[Entity]) -> Filled | None:
    """The one offered row that the text means: by name, by entity, by position; None otherwise."""
    plain = folded(text)
    by_name = [c for c in choices if plain and (plain in (folded(c["zh"]), folded(c["en"])))]
    if not by_name:
        named = [c for c in choices if folded(c["zh"]) in plain or folded(c["en"]) in plain]
        by_name = named or [
            c for c in choices if len(plain) > 1 and (plain in folded(c["zh"]) or plain in folded(c["en"]))
        ]
    if len(by_name) == 1:
        return _of_row(by_name[0], text, entities)
    known = {key for entity in entities for key in entity.detail.get("keys", "").split(",") if key}
    by_key = [c for c in choices if c["key"] in known]
    if len(by_key) == 1:
        return _of_row(by_key[0], text, entities)
    place = ordinal(text)
    return _of_row(choices[place - 1], text, entities) if place is not None and place <= len(choices) else None


def _of_row(choice: Mapping[str, str], text: str, entities: Iterable[Entity]) -> Filled:
    detail = {"keys": choice["key"], "zh": choice["zh"], "en": choice["en"]}
    names = [name for name in (choice["zh"], choice["en"]) if folded(name) in folded(text)]
    if names:
        return Filled(choice["zh"], "row", names[0], detail)
    return Filled(choice["zh"], "row", text[:_LONGEST_TEXT], {**detail, **_whose(entities)})


def of_asked(slot: Slot, turn: Turn, parse: Parse, today: datetime.date) -> Filled | None:
    """What fills the slot that was asked for, free text apart."""
    fitting = [entity for entity in meant(turn, parse.entities) if fits(slot, entity, today)]
    if fitting:
        alike = [other for other in fitting if other.type == fitting[0].type and "keys" in other.detail]
        return _joined([of_entity(one, turn) for one in (alike if fitting[0] in alike else fitting[:1])])
    if "yes_no" in slot.types and parse.intent.name in ("affirm", "deny"):
        answer = "yes" if parse.intent.name == "affirm" else "no"
        return Filled(
            answer, "yes_no", turn.text[:_LONGEST_TEXT], _whose((*parse.entities, *parse.personal, *turn.entities))
        )
    return of_options(slot, said(turn, parse), asked=True)


def of_text(slot: Slot, turn: Turn, parse: Parse) -> Filled | None:
    """The whole answer, where the slot takes free text and the answer is more than a yes or no."""
    text = said(turn, parse)[:_LONGEST_TEXT]
    if "text" not in slot.types or not text or parse.intent.name in ("affirm", "deny"):
        return None
    return Filled(text, "text", text, _whose((*parse.entities, *parse.personal, *turn.entities)))


def of_reading(filled: Filled, first: Parse) -> Filled:
    """A value of another reading than the first: not certain, and private where the first reading was."""
    theirs = _whose((*first.entities, *first.personal)) if filled.type == "text" else {}
    return replace(filled, sure=False, detail={**theirs, **filled.detail})


def _whose(entities: Iterable[Entity]) -> dict[str, str]:
    """Detail of a value that keeps a turn's own words, cut and lower-cased: what they tell about a person, if anything.

    What was cut is no longer what the parser has found, so the record could not find it in the words.
    """
    found = [entity.type for entity in entities if entity.type in PERSONAL]
    return {PRIVATE: found[0]} if found else {}


def volunteered(
    flow: Flow, state: SessionState, turn: Turn, parse: Parse, today: datetime.date, used: str = ""
) -> dict[str, Filled]:
    """Slots that the turn fills beside the one asked for, each entity once; `used` are the words already taken.

    Open slots come first; an entity that only fits a filled slot corrects it.
    """
    found: dict[str, Filled] = {}
    entities = [e for e in meant(turn, parse.entities) if e.confidence >= _least(e) and e.text not in used]
    open_slots = [slot for slot in flow.slots if slot.name != state.asked and slot.name not in state.slots]
    filled_slots = [slot for slot in flow.slots if slot.name != state.asked and slot.name in state.slots]
    for slot in (*open_slots, *filled_slots):
        for entity in entities:
            if fits(slot, entity, today):
                alike = [other for other in entities if other.type == entity.type and "keys" in other.detail]
                taken = alike if entity in alike else [entity]
                found[slot.name] = _joined([of_entity(one, turn) for one in taken])
                entities = [other for other in entities if other not in taken]
                break
        else:
            # Words like 退 mean an option only in a turn that speaks of this task; 有小票, nearly alone, does always.
            text = said(turn, parse)
            option = of_options(slot, text, asked=False)
            alone = option and len(option.said) >= _TELLING and share([option], text) >= _ALONE
            if option is not None and (parse.intent.name in flow.intents or (state.task and alone)):
                found[slot.name] = replace(option, partial=turn.partial)
    return found


def _joined(values: list[Filled]) -> Filled:
    """Several named things at once (牛肉和鸡蛋在哪) as one value with the keys of all, so that none is passed over."""
    first = values[0]
    if len(values) == 1:
        return first
    absent = [value for value in values if value.detail["keys"] == ABSENT]
    held = [value for value in values if value not in absent] or values
    keys = dict.fromkeys(key for value in held for key in value.detail["keys"].split(","))
    names, said, english = (
        "、".join(dict.fromkeys(texts))
        for texts in zip(*((v.value, v.said, v.detail.get("name_en", v.said)) for v in values), strict=True)
    )
    detail = {"keys": ",".join(keys), "name_en": english.replace("、", ", "), "several": str(len(values))}
    if absent and held is not values:
        detail["absent"] = "、".join(value.said for value in absent)
    sure, partial = all(value.sure for value in values), any(value.partial for value in values)
    return Filled(names, first.type, said, detail, sure, partial=partial)


def _least(entity: Entity) -> float:
    return _CAPTURED if entity.source == "template" else _VOLUNTEERED


def share(values: Iterable[Filled], text: str) -> float:
    """Share of the turn's words that gave the values, 0 to 1."""
    whole = len(folded(text))
    return min(1.0, sum(len(folded(value.said)) for value in values) / whole) if whole else 0.0


def means_unknown(flow: Flow, text: str) -> float:
    """Share of the text that says that the customer does not know, 0 to 1."""
    longest = max((len(word) for word in flow.unknown_words if _spans(text, word)), default=0)
    return min(1.0, longest / len(text)) if text else 0.0
