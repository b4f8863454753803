"""Sentences drawn from templates are what the templates match, with their mentions marked."""

from __future__ import annotations

import itertools
import random
import re
from dataclasses import replace

import pytest

from appliance.language.lexicon import GazetteerEntry, IntentRule, Lexicon
from appliance.language.templates import TemplateCompiler
from appliance.packs.compile import load_pack
from appliance.packs.schema import Localised, Pack
from export.train import expand
from export.train.sentences import Sentence, Span
from export.train.values import inventors


def pack(*intents: IntentRule, **expansions: str) -> Pack:
    lexicon = Lexicon(
        intents,
        (GazetteerEntry("product", "盐", ("盐", "食盐"), "P1"), GazetteerEntry("product", "pen", ("pen",), "P2")),
        entity_types=("product", "quantity"),
        expansions=expansions,
        wildcards=("thing",),
    )
    return Pack("tiny", Localised("店", "shop"), Localised("你好", "hello"), (), lexicon)


def texts(found: Pack, template: str, count: int = 400) -> set[str]:
    walker, rng = expand.Walker(found, inventors(found, goods=False)), random.Random(1)
    return {expand.sentence(walker.draw(template, rng), "x").text for _ in range(count)}


def test_every_way_through_a_template_is_drawn_and_no_other() -> None:
    front, names, ends = ("", "请问", "劳驾"), ("盐", "食盐", "pen"), ("在哪", "在哪儿")
    wanted = {a + b + c for a, b, c in itertools.product(front, names, ends)}
    assert texts(pack(), "[请问|劳驾]{product}在(哪|哪儿)") == wanted


def test_rules_are_walked_into() -> None:
    assert texts(pack(please="(请|麻烦)", ask="[<please>]问"), "<ask>一下") == {"问一下", "请问一下", "麻烦问一下"}


def test_a_rule_that_refers_to_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="expected rules that do not refer to themselves"):
        texts(pack(again="又<again>"), "<again>", 1)


def test_a_gap_is_left_out_and_a_wildcard_is_filled() -> None:
    assert texts(pack(), "我要{any:_}买{thing:product}") == {"我要买盐", "我要买食盐", "我要买pen"}


def test_mentions_are_marked() -> None:
    pieces = [("请问 ", ""), ("盐", "product"), ("和", ""), ("两袋", "quantity"), (" ", "")]
    assert expand.sentence(pieces, "find") == Sentence(
        "请问 盐和两袋", "find", (Span(3, 4, "product"), Span(5, 7, "quantity"))
    )


def test_english_words_of_two_pieces_stay_two_words() -> None:
    found = expand.sentence([("cost ", ""), ("of", ""), ("milk", "product"), ("有", ""), ("pen", "product")], "price")
    assert found.text == "cost of milk有pen"
    assert [found.text[span.start : span.end] for span in found.spans] == ["milk", "pen"]


def test_spaces_are_not_doubled_nor_left_at_the_ends() -> None:
    pieces = [(" ", ""), ("where is", ""), (" ", ""), (" my", ""), (" ", ""), (" pen", "product"), (" ", "")]
    found = expand.sentence(pieces, "find")
    assert found.text == "where is my pen"
    assert found.spans == (Span(12, 15, "product"),)


def test_an_empty_mention_is_none() -> None:
    assert expand.sentence([("盐", "product"), ("", "quantity")], "x").spans == (Span(0, 1, "product"),)


def test_examples_come_first_unmarked_and_templates_add_so_many() -> None:
    intents = (
        IntentRule("find", ("[请问]{product}在(哪|哪儿)",), ("盐在哪", "盐在哪", "盐在何处")),
        IntentRule("out_of_scope", (), ("今天天气好",)),
    )
    found = expand.expansions(pack(*intents), 5, 7)
    assert found[:2] == [Sentence("盐在哪", "find", spanned=False), Sentence("盐在何处", "find", spanned=False)]
    drawn = found[2:7]
    assert all(s.label == "find" and s.spanned and [span.type for span in s.spans] == ["product"] for s in drawn)
    assert found[7:] == [Sentence("今天天气好", "out_of_scope", spanned=False)]
    assert len({s.text for s in found}) == len(found)


def test_a_template_that_has_no_more_gives_what_it_has() -> None:
    found = expand.expansions(pack(IntentRule("greet", ("(你好|您好)",))), 40, 7)
    assert sorted(s.text for s in found) == ["你好", "您好"]


def test_one_character_is_no_sentence() -> None:
    assert expand.expansions(pack(IntentRule("affirm", ("(好|嗯)",))), 40, 7) == []


def test_the_same_seed_draws_the_same() -> None:
    shipped = load_pack("store")
    assert expand.expansions(shipped, 3, 7) == expand.expansions(shipped, 3, 7)
    assert expand.expansions(shipped, 3, 7) != expand.expansions(shipped, 3, 8)


def test_whatever_a_template_of_the_pack_draws_it_also_matches_but_for_spaces() -> None:
    lexicon = load_pack("store").lexicon
    expansions = {name: text.replace(" ", "") for name, text in lexicon.expansions.items()}
    compiler = TemplateCompiler(expansions, lexicon.entity_types, lexicon.wildcards)
    walker = expand.Walker(load_pack("store"))
    marks = {kind: chr(0xE000 + number) for number, kind in enumerate(lexicon.entity_types)}
    checked = 0
    for rule in lexicon.intents:
        for template in rule.templates:
            pattern = compiler.compile(template.replace("[ ]", "").replace(" ", "")).pattern
            for seed in range(3):
                drawn = expand.sentence(walker.draw(template, random.Random(seed)), rule.name)
                # A mention is an entity, matched as a mark, or what a wildcard takes, matched as words.
                assert any(
                    pattern.fullmatch(said.lower().translate(dict.fromkeys(map(ord, " '’"))))
                    for said in _readings(drawn, marks)
                ), (template, drawn)
                checked += 1
    assert checked > 500


def test_no_english_words_run_together() -> None:
    lexicon = load_pack("store").lexicon
    walker = expand.Walker(load_pack("store"))
    more = " ".join(lexicon.expansions.values())
    seen = 0
    for rule in lexicon.intents:
        for template in rule.templates:
            known = set(re.findall("[a-z]+", f"{template} {more}".lower()))
            for seed in range(3):
                drawn = expand.sentence(walker.draw(template, random.Random(seed)), rule.name)
                for span in drawn.spans:
                    drawn = replace(
                        drawn, text=drawn.text[: span.start] + "·" * (span.end - span.start) + drawn.text[span.end :]
                    )
                words = re.findall("[a-z]+", drawn.text.lower())
                assert set(words) <= known, (template, drawn.text)
                seen += len(words)
    assert seen > 200


def _readings(sentence: Sentence, marks: dict[str, str]) -> list[str]:
    """The sentence with every choice of its mentions as marks."""
    found = []
    for marked in itertools.product((True, False), repeat=len(sentence.spans)):
        text, at = "", 0
        for span, as_mark in zip(sentence.spans, marked, strict=True):
            text += sentence.text[at : span.start]
            text += marks[span.type] if as_mark else sentence.text[span.start : span.end]
            at = span.end
        found.append(text + sentence.text[at:])
    return found
