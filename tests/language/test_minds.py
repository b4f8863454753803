"""The store's parser with networks: who decides, what each adds to a Parse, and what remains when one fails."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors

from appliance.errors import ApplianceError, BackendFailed, DeadlineExceeded
from appliance.language.classify import Classifier, Labels
from appliance.language.clean import Cleaner
from appliance.language.faq import WORDS_ALONE, Faq, Weighing
from appliance.language.flatten import flatten
from appliance.language.joining import UNSURE
from appliance.language.lexicon import OUT_OF_SCOPE
from appliance.language.parse import Minds, Parser
from appliance.language.pinyin import Syllables
from appliance.language.tagger import Alphabet, Tagger
from appliance.language.tokenise import Tokeniser
from appliance.language.viterbi import Transitions
from appliance.packs.compile import load_pack
from appliance.packs.schema import Pack
from appliance.values import Entity, Intent, Parse, Turn

TODAY = date(2026, 11, 22)
CLASSIFIER, TAGGER = "understand-zh@0123456789ab", "entities-zh@ba9876543210"
TAGGED = ("product", "person", "brand", "place", "date", "phone", "tax_no", "tracking_no", "weight", "address")
TAGS = ("O", *(f"{edge}-{kind}" for kind in TAGGED for edge in "BI"))
Inputs = Mapping[str, npt.NDArray[Any]]


@dataclass
class FakeUnderstanding:
    """An encoder that believes what it is told, with the mean of the pieces' fixed vectors as that of a sentence."""

    intents: tuple[str, ...]
    chances: dict[str, float] = field(default_factory=dict)
    moods: tuple[float, float, float] = (0.0, 1.0, 0.0)
    error: ApplianceError | None = None
    runs: int = 0

    def __post_init__(self) -> None:
        self._table = np.random.default_rng(1).normal(0, 1, (8000, 24)).astype(np.float32)

    def __call__(self, inputs: Inputs, /, *, deadline: float | None = None) -> dict[str, npt.NDArray[Any]]:
        self.runs += 1
        if self.error is not None:
            raise self.error
        ids, mask = inputs["input_ids"], inputs["attention_mask"][..., None]
        means = (self._table[ids] * mask).sum(1) / mask.sum(1)
        rest = (1 - sum(self.chances.values())) / (len(self.intents) - len(self.chances))
        chances = [self.chances.get(name, rest) for name in self.intents]
        return {
            "intent": np.log(np.maximum(np.array([chances] * len(ids), np.float32), 1e-9)),
            "sentiment": np.log(np.maximum(np.array([self.moods] * len(ids), np.float32), 1e-9)),
            "vector": (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32),
        }


@dataclass
class FakeTagging:
    """A tagger that finds the spans it is told to, and remembers what it was shown."""

    spans: tuple[tuple[int, int, str], ...] = ()
    strength: float = 16.0
    error: ApplianceError | None = None
    shown: list[Inputs] = field(default_factory=list)

    def __call__(self, inputs: Inputs, /, *, deadline: float | None = None) -> dict[str, npt.NDArray[Any]]:
        self.shown.append(inputs)
        if self.error is not None:
            raise self.error
        tags = np.zeros(inputs["characters"].shape[1], np.int64)
        for start, end, kind in self.spans:
            tags[start:end] = TAGS.index(f"I-{kind}")
            tags[start : start + 1] = TAGS.index(f"B-{kind}")
        return {"emissions": np.eye(len(TAGS), dtype=np.float32)[tags][None] * np.float32(self.strength)}


@dataclass
class Thinking:
    """A parser with both networks, and the fakes behind it."""

    parser: Parser
    understanding: FakeUnderstanding
    tagging: FakeTagging

    def parse(self, text: str, **chances: float) -> Parse:
        self.understanding.chances = chances
        return self.parser.parse(Turn(text))


@pytest.fixture(scope="module")
def pack() -> Pack:
    return load_pack("store")


@pytest.fixture(scope="module")
def tokeniser(pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> Tokeniser:
    """One piece for each character that the pack's questions hold."""
    letters = sorted({c for row in pack.faq for way in row.ways for c in way.lower()})
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *letters]
    tokenizer = Tokenizer(models.WordLevel({piece: at for at, piece in enumerate(pieces)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    tokenizer.save(str(path))
    return Tokeniser(path, 64)


@pytest.fixture(scope="module")
def plain(pack: Pack) -> Parser:
    """The same pack without any network."""
    return Parser(pack.lexicon, today=lambda: TODAY)


def frequent(pack: Pack, classifier: Classifier | None, weighing: Weighing = WORDS_ALONE) -> Faq:
    cleaner = Cleaner()
    cleaned = [[cleaner.clean(way).text for way in row.ways] for row in pack.faq]
    vectors = classifier.vectors([way for ways in cleaned for way in ways]) if classifier else None
    return Faq(pack.faq, [[flatten(way).text for way in ways] for ways in cleaned], Syllables(), vectors, weighing)


@pytest.fixture(scope="module")
def built(pack: Pack, tokeniser: Tokeniser) -> Thinking:
    names = pack.lexicon.intent_names
    understanding, tagging = FakeUnderstanding(names), FakeTagging()
    labels = Labels("store", names, ("neg", "neu", "pos"), 1.0, 1.0, 64)
    classifier = Classifier(understanding, tokeniser, labels)
    free = (np.zeros(shape, np.float32) for shape in (len(TAGS), len(TAGS), (len(TAGS), len(TAGS))))
    alphabet = Alphabet({"0": 2}, TAGS, Transitions(*free), 128)
    tagger = Tagger(tagging, alphabet, pack.lexicon.entity_types)
    faq = frequent(pack, classifier, Weighing(0.5, -4.0, 4.0, 5.0, 4.0, -3.0))
    minds = Minds(classifier, tagger, faq, {"classifier": CLASSIFIER, "tagger": TAGGER})
    return Thinking(Parser(pack.lexicon, lambda: TODAY, minds), understanding, tagging)


@pytest.fixture
def thinking(built: Thinking) -> Thinking:
    """Compiled once; every test finds the fakes as new."""
    built.understanding.chances, built.understanding.error, built.understanding.runs = {}, None, 0
    built.understanding.moods = (0.0, 1.0, 0.0)
    built.tagging.spans, built.tagging.error, built.tagging.strength = (), None, 16.0
    built.tagging.shown.clear()
    return built


@pytest.fixture
def judging(thinking: Thinking, monkeypatch: pytest.MonkeyPatch) -> Thinking:
    """The tagger was trained on this very pack: what it does not mark of its types is none."""
    monkeypatch.setattr(thinking.parser._minds.tagger, "judges", frozenset(TAGGED))
    return thinking


def found(parse: Parse) -> list[tuple[str, str, str, str]]:
    return [(entity.type, entity.text, entity.value, entity.source) for entity in parse.entities]


def decided(parse: Parse) -> tuple[object, ...]:
    return parse.intent, parse.alternatives, parse.source, parse.entities, parse.clean, parse.language


# Rule 1


@pytest.mark.parametrize(
    ("text", "intent", "source"),
    [
        ("我要退货", "return_exchange", "sentence"),
        ("我要投诉", "complaint", "sentence"),
        ("请问一下牙膏在哪", "find_product", "template"),
    ],
)
def test_what_the_pack_says_word_by_word_decides_over_a_sure_network(
    thinking: Thinking, plain: Parser, text: str, intent: str, source: str
) -> None:
    parse = thinking.parse(text, greet=0.99)
    assert (parse.intent.name, parse.source) == (intent, source)
    assert (parse.intent, parse.alternatives) == (plain.parse(Turn(text)).intent, plain.parse(Turn(text)).alternatives)


def test_a_sentence_that_the_pack_gives_as_out_of_scope_stays_so(thinking: Thinking) -> None:
    parse = thinking.parse("shut up", greet=0.99)
    assert (parse.intent.name, parse.source) == (OUT_OF_SCOPE, "none")


# Rule 2


@pytest.mark.parametrize(
    ("text", "intent"),
    [("SF1392847561099", "track_parcel"), ("请问洗衣液500克", "find_product"), ("D077", "queue_ticket")],
)
def test_an_entity_alone_means_what_the_pack_says(thinking: Thinking, text: str, intent: str) -> None:
    parse = thinking.parse(text, greet=0.99)
    assert parse.intent.name == intent
    assert parse.source != "model"


def test_an_entity_of_the_tagger_alone_does_too(thinking: Thinking, plain: Parser) -> None:
    assert plain.parse(Turn("请问榴莲千层")).intent.name == OUT_OF_SCOPE
    thinking.tagging.spans = ((2, 6, "product"),)
    parse = thinking.parse("请问榴莲千层", greet=0.99)
    assert parse.intent.name == "find_product"
    assert parse.source != "model"


# Rule 3


def test_the_network_decides_where_the_pack_has_no_sentence(thinking: Thinking, plain: Parser) -> None:
    text = "这个我拿回来你们收不收"
    assert plain.parse(Turn(text)).intent.name == OUT_OF_SCOPE
    parse = thinking.parse(text, return_exchange=0.8, refund_status=0.15)
    assert (parse.intent.name, parse.source) == ("return_exchange", "model")
    assert "refund_status" in [other.name for other in parse.alternatives]


def test_without_evidence_the_network_s_probabilities_are_the_answer(thinking: Thinking) -> None:
    parse = thinking.parse("绿野仙踪", store_hours=0.6, promotion=0.25, help=0.1)
    assert parse.source == "model"
    assert parse.intent.name == "store_hours"
    assert parse.intent.confidence == pytest.approx(0.6, abs=0.02)
    assert [other.name for other in parse.alternatives] == ["promotion", "help"]
    assert [other.confidence for other in parse.alternatives] == pytest.approx([0.25, 0.1], abs=0.02)


def test_cues_help_where_the_network_hesitates_and_cannot_overrule_it(thinking: Thinking, plain: Parser) -> None:
    text = "昨天那个快递到底啥情况"
    assert plain.parse(Turn(text)).intent.name == "track_parcel"
    unsure = thinking.parse(text, track_parcel=0.4, send_parcel=0.45)
    assert (unsure.intent.name, unsure.source) == ("track_parcel", "model")
    assert unsure.intent.confidence > 0.45
    assert thinking.parse(text, track_parcel=0.03, send_parcel=0.93).intent.name == "send_parcel"


def test_what_a_wildcard_took_is_kept_for_its_own_intent_only(thinking: Thinking) -> None:
    parse = thinking.parse("螺丝刀放在几号货架", find_product=0.9)
    assert (parse.intent.name, parse.source) == ("find_product", "model")
    assert found(parse) == [("product", "螺丝刀", "螺丝刀", "template")]
    parse = thinking.parse("螺丝刀放在几号货架", store_hours=0.99)
    assert (parse.intent.name, found(parse)) == ("store_hours", [])


# Rule 4


@pytest.mark.parametrize(
    "text",
    ["我要推货", "螺丝刀放在几号货架", "昨天那个快递到底啥情况", "绿野仙踪", "牙膏", "单号SF1392847561002的咋没动静"],
)
def test_a_network_that_fails_leaves_what_the_pack_makes_of_it(thinking: Thinking, plain: Parser, text: str) -> None:
    thinking.understanding.error = BackendFailed("understand-zh: expected to run")
    assert decided(thinking.parse(text)) == decided(plain.parse(Turn(text)))


# Rule 5


def test_below_the_least_probability_it_is_out_of_scope(thinking: Thinking) -> None:
    parse = thinking.parse("绿野仙踪", store_hours=0.2, promotion=0.19, help=0.18)
    assert (parse.intent.name, parse.source) == (OUT_OF_SCOPE, "model")
    assert parse.intent.confidence == pytest.approx(0.8, abs=0.02)
    assert [other.name for other in parse.alternatives] == ["store_hours", "promotion", "help"]
    enough = thinking.parse("绿野仙踪", store_hours=UNSURE + 0.05)
    assert (enough.intent.name, enough.source) == ("store_hours", "model")


def test_a_probability_that_is_too_little_for_templates_is_enough_for_the_network(
    thinking: Thinking, pack: Pack
) -> None:
    parse = thinking.parse("绿野仙踪", store_hours=0.4, promotion=0.3)
    assert parse.intent.name == "store_hours"
    assert parse.intent.confidence < pack.lexicon.thresholds["accept"]


def test_out_of_scope_when_the_network_says_so(thinking: Thinking) -> None:
    parse = thinking.parse("绿野仙踪", out_of_scope=0.7, chitchat=0.2)
    assert (parse.intent.name, parse.source) == (OUT_OF_SCOPE, "model")
    assert parse.intent.confidence == pytest.approx(0.7, abs=0.02)
    assert [other.name for other in parse.alternatives] == ["chitchat"]


def test_another_reading_is_tried_when_the_network_finds_nothing_in_the_first(thinking: Thinking) -> None:
    thinking.understanding.chances = {OUT_OF_SCOPE: 0.9}
    parse = thinking.parser.parse(Turn("我药腿祸来着", alternatives=("绿野仙踪", "我要退货")))
    assert (parse.intent.name, parse.source) == ("return_exchange", "sentence")
    assert parse.intent.confidence == pytest.approx(0.99 * 0.9, abs=1e-3)
    assert thinking.understanding.runs == 1


def test_an_intent_that_came_along_is_not_asked_of_the_network(thinking: Thinking) -> None:
    thinking.understanding.chances = {"greet": 0.99}
    parse = thinking.parser.parse(Turn("绿野仙踪", intent=Intent("help", 1.0)))
    assert (parse.intent, parse.source, parse.alternatives) == (Intent("help", 1.0), "turn", ())


# What the networks add


def test_a_parse_says_what_each_network_made_of_it(thinking: Thinking) -> None:
    thinking.understanding.moods = (0.75, 0.2, 0.05)
    parse = thinking.parse("七天之内无理由退换有没有", return_exchange=0.9)
    assert parse.sentiment is not None
    assert parse.sentiment.name == "neg"
    assert parse.sentiment.confidence == pytest.approx(0.75, abs=1e-3)
    assert parse.faq[0].id == "return_changed_mind"
    assert parse.faq[0].way == "七天之内无理由退换有没有"
    assert parse.faq[0].meaning > 0.2
    assert parse.models == (TAGGER, CLASSIFIER)
    assert list(parse.timings_ms) == ["clean", "entities", "tagger", "encoder", "intent", "faq"]
    assert all(ms >= 0 for ms in parse.timings_ms.values())


def test_without_networks_nothing_of_theirs_is_said(plain: Parser, pack: Pack) -> None:
    parse = plain.parse(Turn("七天之内无理由退换有没有"))
    assert (parse.sentiment, parse.faq, parse.models) == (None, (), ())
    assert set(parse.timings_ms) == {"clean", "entities", "intent"}
    empty = Parser(pack.lexicon, lambda: TODAY, Minds()).parse(Turn("七天之内无理由退换有没有"))
    assert decided(empty) == decided(parse)


def test_frequent_questions_serve_without_a_network(pack: Pack) -> None:
    parser = Parser(pack.lexicon, lambda: TODAY, Minds(faq=frequent(pack, None)))
    parse = parser.parse(Turn("七天之内无理由退换有没有"))
    assert (parse.faq[0].id, parse.faq[0].meaning) == ("return_changed_mind", 0.0)
    strange = parser.parse(Turn("绿野仙踪")).faq
    assert parse.faq[0].confidence > 0.5 > max(match.confidence for match in strange)
    assert (parse.sentiment, parse.models) == (None, ())
    assert set(parse.timings_ms) == {"clean", "entities", "intent", "faq"}


def test_a_frequent_question_is_believed_less_in_a_turn_that_is_out_of_scope(thinking: Thinking) -> None:
    inside, outside = (
        thinking.parse("买回家后悔了退掉", **chances).faq[0] for chances in ({"greet": 0.9}, {OUT_OF_SCOPE: 0.99})
    )
    assert inside.id == outside.id
    assert inside.confidence > outside.confidence


@pytest.mark.parametrize(
    ("changed", "asks"),
    [
        ({}, True),
        ({"source": "audio"}, True),
        ({"source": "image"}, False),
        ({"intent": Intent("help", 1.0), "source": "tap"}, False),
    ],
)
def test_who_shows_a_photo_or_brings_an_intent_asks_no_frequent_question(
    thinking: Thinking, changed: dict[str, Any], asks: bool
) -> None:
    parse = thinking.parser.parse(replace(Turn("七天之内无理由退换有没有"), **changed))
    assert bool(parse.faq) == ("faq" in parse.timings_ms) == asks
    # A photo's text is no sentence to tag, and who taps has said what is meant.
    models = {"image": (CLASSIFIER,), "tap": ()}
    assert parse.models == models.get(changed.get("source", "text"), (TAGGER, CLASSIFIER))


@pytest.mark.parametrize("text", ["", "   ", "\u200b", "👋"])
def test_a_turn_without_words_is_shown_to_no_network(thinking: Thinking, plain: Parser, text: str) -> None:
    parse = thinking.parse(text, help=0.99)
    assert (thinking.understanding.runs, thinking.tagging.shown) == (0, [])
    assert (parse.sentiment, parse.faq, parse.models) == (None, (), ())
    assert decided(parse) == decided(plain.parse(Turn(text)))


@pytest.mark.parametrize("text", ["退", "？？？", "我要退货" * 128, "1" * 512, "where is " * 56])
def test_the_shortest_and_the_longest_turns_are_understood(thinking: Thinking, text: str) -> None:
    parse = thinking.parse(text, help=0.5)
    assert 0 <= parse.intent.confidence <= 1
    assert parse.models == (TAGGER, CLASSIFIER)
    assert thinking.tagging.shown[0]["characters"].shape[1] <= 128


# Networks that fail


def test_each_network_may_fail_at_one_turn_and_serve_at_the_next(thinking: Thinking) -> None:
    thinking.tagging.spans = ((0, 4, "product"),)

    def said() -> tuple[str, bool, list[str], tuple[str, ...]]:
        parse = thinking.parse("榴莲千层太甜绿野仙踪", complaint=0.9)
        return parse.source, parse.sentiment is not None, [entity.text for entity in parse.entities], parse.models

    assert said() == ("model", True, ["榴莲千层"], (TAGGER, CLASSIFIER))
    thinking.understanding.error = DeadlineExceeded("understand-zh: expected in time")
    source, felt, entities, served = said()
    assert (source != "model", felt, entities, served) == (True, False, ["榴莲千层"], (TAGGER,))
    thinking.understanding.error, thinking.tagging.error = None, BackendFailed("entities-zh: expected to run")
    assert said() == ("model", True, [], (CLASSIFIER,))
    thinking.tagging.error = None
    assert said() == ("model", True, ["榴莲千层"], (TAGGER, CLASSIFIER))


def test_both_may_fail_at_once(thinking: Thinking, plain: Parser) -> None:
    thinking.understanding.error = thinking.tagging.error = BackendFailed("net: expected to run")
    for text in ("单号SF1392847561002的咋没动静", "张三说可乐涨价了", "绿野仙踪"):
        parse = thinking.parse(text)
        assert decided(parse) == decided(plain.parse(Turn(text)))
        assert (parse.sentiment, parse.models) == (None, ())


def test_a_frequent_question_is_found_by_its_words_when_the_encoder_fails(thinking: Thinking) -> None:
    thinking.understanding.error = BackendFailed("understand-zh: expected to run")
    best = thinking.parse("七天之内无理由退换有没有").faq[0]
    assert (best.id, best.meaning) == ("return_changed_mind", 0.0)
    assert best.words > 0.2


# The tagger beside tables and patterns


def test_the_tagger_finds_what_no_table_lists(thinking: Thinking, plain: Parser) -> None:
    assert plain.parse(Turn("那个榴莲千层过期了")).entities == ()
    thinking.tagging.spans = ((2, 6, "product"),)
    assert found(thinking.parse("那个榴莲千层过期了")) == [("product", "榴莲千层", "榴莲千层", "model")]


def test_its_spans_point_into_the_words_as_they_were_given(thinking: Thinking) -> None:
    text = "  那个 ＡＢＣ 饼皮，过期了"
    clean = thinking.parse(text).clean
    start = clean.index("abc")
    thinking.tagging.spans = ((start, clean.index("皮") + 1, "product"),)
    (entity,) = thinking.parse(text).entities
    assert text[entity.start : entity.end] == entity.text
    assert entity.text.startswith("ＡＢＣ")
    assert entity.text.endswith("饼皮")
    assert entity.value.startswith("abc")


def test_it_is_shown_what_tables_and_patterns_found(thinking: Thinking) -> None:
    thinking.parse("张总电饭煲13812345678")
    (shown,) = thinking.tagging.shown
    tags = [TAGS[number] for number in shown["hints"][0]]
    assert tags[2:5] == ["B-product", "I-product", "I-product"]
    assert tags[5:] == ["B-phone", *["I-phone"] * 10]
    assert shown["characters"][0, 5:].tolist() == [2] * 11


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("税号91350100M000100Y43开票", "tax_no", "91350100M000100Y43"),
        ("邮政的RA123456785CN到没", "tracking_no", "RA123456785CN"),
    ],
)
def test_a_number_that_passes_its_checksum_beats_a_guess(thinking: Thinking, text: str, kind: str, value: str) -> None:
    thinking.tagging.spans = ((0, len(text), "product"),)
    assert [(entity.type, entity.value, entity.source) for entity in thinking.parse(text).entities] == [
        (kind, value, "pattern")
    ]


def test_a_pattern_beats_a_guess_that_is_no_longer(thinking: Thinking) -> None:
    thinking.tagging.spans = ((2, 13, "person"),)
    assert found(thinking.parse("打给13812345678")) == [("phone", "13812345678", "13812345678", "pattern")]


def test_a_listed_name_is_what_the_network_makes_of_it(judging: Thinking) -> None:
    judging.tagging.spans = ((1, 7, "product"),)
    assert found(judging.parse("那电饭煲保护套呢", find_product=0.9)) == [
        ("product", "电饭煲保护套", "电饭煲保护套", "model")
    ]
    judging.tagging.spans = ()
    assert found(judging.parse("那电饭煲保护套呢", find_product=0.9)) == []


def test_a_listed_name_that_the_network_marks_keeps_its_value(judging: Thinking, plain: Parser) -> None:
    (listed,) = plain.parse(Turn("那边的厕所脏死了")).entities
    assert (listed.type, listed.source) == ("place", "gazetteer")
    assert listed.value != listed.text
    judging.tagging.spans = ((listed.start, listed.end, "place"),)
    (marked,) = judging.parse("那边的厕所脏死了").entities
    assert marked == replace(listed, source="model", confidence=marked.confidence)


def test_a_bare_number_that_the_network_does_not_mark_is_none_and_a_phone_is_one(judging: Thinking) -> None:
    assert found(judging.parse("三斤的那个13812345678")) == [("phone", "13812345678", "13812345678", "pattern")]
    judging.tagging.spans = ((0, 2, "weight"),)
    assert [kind for kind, *_ in found(judging.parse("三斤的那个13812345678"))] == ["weight", "phone"]


def test_an_address_has_the_network_s_bounds_and_the_province_that_tables_know(judging: Thinking) -> None:
    text = "寄到杭州西湖区文三路东头老粮站"
    (listed,) = judging.parser._finder.find(text)
    assert (listed.type, listed.end < len(text)) == ("address", True)
    judging.tagging.spans = ((2, len(text), "address"),)
    (marked,) = judging.parse(text).entities
    assert (marked.text, marked.value, marked.source) == (text[2:], text[2:], "model")
    assert marked.detail == listed.detail
    assert marked.detail["province"] == "浙江省"


def test_a_person_whom_the_network_marks_has_the_name_as_the_pattern_writes_it(
    judging: Thinking, plain: Parser
) -> None:
    text = "我叫zhang san"
    (named,) = plain.parse(Turn(text)).entities
    assert named.value == "Zhang San"
    judging.tagging.spans = ((2, len(text), "person"),)
    parse = judging.parse(text)
    assert found(parse) == [("person", "zhang san", "Zhang San", "model")]
    assert parse.personal == ()


def test_what_a_pattern_takes_for_a_person_or_an_address_is_what_the_network_makes_of_it(judging: Thinking) -> None:
    text = "我叫张建国住杭州西湖区"
    assert sorted(one.type for one in judging.parser._finder.find(text)) == ["address", "person"]
    assert found(judging.parse(text)) == []


def test_what_stands_behind_the_network_s_reading_is_not_judged_by_it(judging: Thinking) -> None:
    text = "那个" * 64 + "电饭煲"
    assert [entity.text for entity in judging.parse(text).entities] == ["电饭煲"]


def test_a_name_that_the_network_does_not_mark_is_no_entity_but_stays_masked(judging: Thinking, plain: Parser) -> None:
    text = "张师傅修的"
    (named,) = plain.parse(Turn(text)).entities
    parse = judging.parse(text)
    assert parse.entities == ()
    assert parse.personal == (named,)


def test_the_text_of_a_photo_is_left_to_tables_and_patterns(thinking: Thinking, plain: Parser) -> None:
    turn = Turn("牛奶250ml 11.60 2026-11-22 18:30", source="image")
    assert thinking.parser.parse(turn).entities == plain.parse(turn).entities
    assert thinking.tagging.shown == []


def test_a_tap_needs_no_network(thinking: Thinking) -> None:
    thinking.understanding.error = thinking.tagging.error = BackendFailed("expected to run")
    parse = thinking.parser.parse(Turn("电饭煲", intent=Intent("find_product", 1.0), source="tap"))
    assert (thinking.understanding.runs, thinking.tagging.shown) == (0, [])
    assert [entity.text for entity in parse.entities] == ["电饭煲"]


def test_emissions_that_are_not_finite_leave_tables_and_patterns(judging: Thinking) -> None:
    judging.tagging.spans, judging.tagging.strength = ((0, 2, "product"),), float("nan")
    assert [entity.source for entity in judging.parse("那个电饭煲").entities] == ["gazetteer"]


def test_a_type_that_came_along_is_not_guessed_again(thinking: Thinking) -> None:
    tapped = Entity("product", "", "香皂", 0, 0, source="tap")
    thinking.tagging.spans = ((2, 6, "product"),)
    parse = thinking.parser.parse(Turn("那个榴莲千层过期了", entities=(tapped,)))
    assert parse.entities == (tapped,)


def test_many_threads_get_the_same_parse(thinking: Thinking) -> None:
    thinking.understanding.chances = {"complaint": 0.6, "return_exchange": 0.3}
    thinking.tagging.spans = ((0, 2, "product"),)
    texts = ["七天之内无理由退换有没有", "我要推货", "绿野仙踪", "昨天那个快递到底啥情况", "", "SF1392847561099"] * 10

    def told(text: str) -> tuple[object, ...]:
        parse = thinking.parser.parse(Turn(text))
        return *decided(parse), parse.sentiment, parse.faq, parse.models

    alone = [told(text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(told, texts)) == alone
