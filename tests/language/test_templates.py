from __future__ import annotations

import pytest

from appliance.language.candidates import Candidate
from appliance.language.flatten import flatten
from appliance.language.pinyin import Syllables
from appliance.language.templates import Slots, TemplateChecker, TemplateCompiler, TemplateError

TYPES = ("product", "place")
PLACE = Slots(TYPES).mark("place")
PRODUCT = Slots(TYPES).mark("product")
RULES = {"where": "(在哪[里|儿]|怎么走)", "polite": "[请|麻烦]", "loop": "a<loop>"}


def compiler(**keywords: object) -> TemplateCompiler:
    return TemplateCompiler(RULES, TYPES, ("thing", "any"), **keywords)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("template", "matches", "others"),
    [
        (
            "{place}<where>",
            [f"{PLACE}在哪", f"{PLACE}在哪里", f"{PLACE}怎么走"],
            [f"{PRODUCT}在哪", "厕所在哪", f"{PLACE}在哪啊"],
        ),
        ("[我要|想](退|换)货", ["退货", "我要退货", "想换货"], ["退", "我退货"]),
        (
            "where (is|are) [the] {place}",
            [f"where is the {PLACE}", f"where are {PLACE}", f"whereis{PLACE}"],
            ["where the is"],
        ),
        ("(|请)退货", ["退货", "请退货"], ["谢退货"]),
        ("what's up", ["whats up"], ["what's up"]),
        ("1+1(=|等于)几", ["1+1=几", "1+1等于几"], ["11=几"]),
    ],
)
def test_whole_sentences(template: str, matches: list[str], others: list[str]) -> None:
    pattern = compiler().compile(template).pattern
    assert [text for text in matches if not pattern.fullmatch(text)] == []
    assert [text for text in others if pattern.fullmatch(text)] == []


def test_a_wildcard_keeps_what_it_took() -> None:
    compiled = compiler().compile("{thing:product}(在哪|哪里有)")
    match = compiled.pattern.fullmatch("充气船在哪")
    assert match is not None
    (capture,) = compiled.found(match)
    assert (capture.slot, capture.start, capture.end) == ("product", 0, 3)
    assert compiled.pattern.fullmatch(f"{PRODUCT}在哪") is None
    assert not compiled.slots


def test_a_wildcard_between_spaces_keeps_its_characters() -> None:
    # hassil's own matcher rewrites whitespace and shifts such captures (hassil issues 276 and 279).
    compiled = compiler().compile("find {thing:product} please")
    match = compiled.pattern.fullmatch("find usb 3 cable please")
    assert match is not None
    (capture,) = compiled.found(match)
    assert "find usb 3 cable please"[capture.start : capture.end].strip() == "usb 3 cable"


def test_a_gap_keeps_nothing() -> None:
    compiled = compiler().compile("寄{any:_}多少钱", anywhere=True)
    match = compiled.pattern.search(f"我寄{PRODUCT}要多少钱")
    assert match is not None
    assert compiled.found(match) == ()


def test_anywhere_respects_english_words() -> None:
    pattern = compiler().compile("hi", anywhere=True).pattern
    assert pattern.search("oh hi there")
    assert pattern.search("说hi吧")
    assert not pattern.search("this")
    assert compiler().compile("退", anywhere=True).pattern.search("想3退5")


def test_sounds(syllables: Syllables) -> None:
    pattern = compiler(fold=syllables.fold).compile("我要退货").pattern
    assert pattern.fullmatch(syllables.fold("我要腿或"))
    assert not pattern.fullmatch(syllables.fold("我要取货"))


def test_least_literals_are_counted() -> None:
    assert compiler().compile("[我要]退(货|货物)").literals == 2
    assert compiler().compile("{place}在").literals == 3


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("(退", "."),
        ("{unknown}在哪", "unknown"),
        ("{thing:nowhere}在哪", "nowhere"),
        ("<missing>", "missing"),
        ("<loop>", "themselves"),
        ("[退货]", "literal"),
        ("{thing:product}", "literal"),
        ("(a;b)", "permutation"),
        ("{thing}在", "thing"),
    ],
)
def test_what_is_wrong_is_named(template: str, complaint: str) -> None:
    with pytest.raises(TemplateError, match=complaint):
        compiler().compile(template)


def test_a_check_compiles_nothing_but_complains_alike() -> None:
    TemplateChecker(RULES, (*TYPES, "thing")).check("{thing:product}在哪")
    with pytest.raises(TemplateError):
        TemplateChecker(RULES, (*TYPES, "thing")).check("{other:product}在哪")


def test_flatten_masks_entities_and_remembers_positions() -> None:
    text = "请问,wc 3在哪?it's, ok"
    flat = flatten(text, [Candidate("place", 3, 5, "洗手间", 0.9)], Slots(TYPES))
    assert flat.text == f"请问{PLACE}3在哪its ok"
    at = flat.text.index(PLACE)
    assert flat.span(at, at + 1) == (3, 5)
    low, high = flat.span(len(flat.text) - 2, len(flat.text))
    assert text[low:high] == "ok"
    assert flatten("wc在哪").text == "wc在哪"
