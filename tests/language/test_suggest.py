"""What may be meant by what has been typed: right, in the right order, each once, and understood when sent."""

from __future__ import annotations

import threading

import pytest

from appliance.errors import InvalidInput
from appliance.language.clean import Cleaner
from appliance.language.lexicon import GazetteerEntry
from appliance.language.parse import Parser
from appliance.language.questions import Question, named
from appliance.language.suggest import Suggester
from appliance.language.syllables import read_forms
from appliance.packs.compile import load_pack
from appliance.packs.schema import Pack
from appliance.packs.vocabulary import ABSENT
from appliance.values import Turn


def question(intent: str, zh: str, en: str, label_zh: str = "", label_en: str = "") -> Question:
    return Question(intent, {"zh": label_zh or zh, "en": label_en or en}, {"zh": zh, "en": en})


QUESTIONS = (
    question("find_product", "洗衣粉在哪个货架", "Where is the washing powder", "找商品", "Find a product"),
    question("return_exchange", "我要退货", "I want to return something", "退货", "Return something"),
    question("find_product", "{product}在哪里", "Where can I find {product}", "{product}", "{product}"),
    question("check_price", "{product}多少钱", "Price of {product}"),
    question("facility_location", "{place}怎么走", "How do I get to the {place}", "{place}", "{place}"),
)
THINGS = (
    GazetteerEntry(
        "product", "洗衣液", ("洗衣液", "衣物清洁剂", "laundry liquid"), "P1", {"name_en": "laundry liquid"}
    ),
    GazetteerEntry("product", "洗衣粉", ("洗衣粉", "washing powder"), "P2", {"name_en": "washing powder"}),
    GazetteerEntry("product", "洗发水", ("洗发水", "shampoo"), "P3", {"name_en": "shampoo"}),
    GazetteerEntry("product", "牛奶", ("牛奶", "纯奶", "milk"), "P4", {"name_en": "milk"}),
    GazetteerEntry("product", "纯牛奶", ("纯牛奶",), "P5"),
    GazetteerEntry("place", "洗手间", ("洗手间", "厕所", "W.C.", "ladies room"), "toilet", {"name_en": "toilet"}),
    GazetteerEntry("colour", "红色", ("红色",)),
)


@pytest.fixture(scope="module")
def suggester(cleaner: Cleaner) -> Suggester:
    return Suggester(QUESTIONS, THINGS, cleaner)


@pytest.fixture(scope="module")
def store() -> Pack:
    return load_pack("store")


@pytest.fixture(scope="module")
def shop(store: Pack, cleaner: Cleaner) -> Suggester:
    return Suggester(store.questions, [e for e in store.lexicon.gazetteer if e.key != ABSENT], cleaner)


def labels(suggester: Suggester, text: str, language: str = "zh", limit: int = 8) -> list[str]:
    return [suggestion.label for suggestion in suggester.suggest(text, language, limit)]


@pytest.mark.parametrize(
    "text",
    ["洗衣液", "xiyiye", "xi yi ye", "xi'yi'ye", "XIYIYE", "ｘｉｙｉｙｅ", "洗衣液？", "衣物清洁剂", "laundry liquid"],
)
def test_what_is_typed_whole_comes_with_all_its_questions(suggester: Suggester, text: str) -> None:
    first, second = suggester.suggest(text)[:2]
    assert (first.label, first.text, first.intent) == ("洗衣液", "洗衣液在哪里", "find_product")
    assert (second.label, second.text, second.intent) == ("洗衣液多少钱", "洗衣液多少钱", "check_price")


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("洗衣", ["洗衣液", "洗衣粉"]),
        ("xiyi", ["洗衣液", "洗衣粉"]),
        ("xiyiy", ["洗衣液", "洗衣液多少钱"]),
        ("xyy", ["洗衣液"]),
        ("xy", ["洗衣液", "洗衣粉"]),
        ("洗yiye", ["洗衣液"]),
        ("洗f", ["洗发水"]),
        ("sham", ["洗发水"]),
        ("wc", ["洗手间"]),
        ("ladiesr", ["洗手间"]),
        ("cesuo", ["洗手间"]),
        ("洗衣液多", ["洗衣液多少钱"]),
        ("xiyiyeduosh", ["洗衣液多少钱"]),
        ("where can i find sh", ["洗发水"]),
        ("tuihuo", ["退货"]),
        ("我要退", ["我要退货"]),
        ("退貨", ["退货"]),
    ],
)
def test_what_is_typed_in_part(suggester: Suggester, text: str, first: list[str]) -> None:
    assert labels(suggester, text)[: len(first)] == first


def test_the_order(suggester: Suggester) -> None:
    """Whole with all its questions, then what begins so, then what holds it; second questions last."""
    assert labels(suggester, "牛奶") == ["牛奶", "牛奶多少钱", "纯牛奶", "纯牛奶多少钱"]
    assert labels(suggester, "xi") == [
        "洗衣液",
        "洗衣粉",
        "洗发水",
        "洗手间",
        "洗衣液多少钱",
        "洗衣粉多少钱",
        "洗发水多少钱",
    ]
    assert labels(suggester, "x", limit=3) == ["洗衣液", "洗衣粉", "洗发水"]
    assert labels(suggester, "liquid") == ["洗衣液", "洗衣液多少钱"]
    assert labels(suggester, "nn", limit=1) == ["牛奶"]


def test_the_same_question_about_the_same_thing_comes_once(suggester: Suggester, shop: Suggester) -> None:
    assert labels(suggester, "洗衣粉") == ["洗衣粉", "洗衣粉多少钱"]
    assert labels(suggester, "找") == ["找商品"]
    asked = [(suggestion.intent, suggestion.text[:3]) for suggestion in shop.suggest("洗衣液", limit=20)]
    assert asked.count(("find_product", "洗衣液")) == 1
    for typed in ("x", "xi", "洗手间", "xishoujian"):
        texts = [suggestion.text for suggestion in shop.suggest(typed, limit=20)]
        assert len({"洗手间在哪里", "洗手间怎么走"}.intersection(texts)) <= 1, typed


@pytest.mark.parametrize(("typed", "same"), [("nü", "nv"), ("NÜ", "nv"), ("nu\u0308", "nv"), ("lü", "lv")])
def test_an_umlaut_is_a_v(shop: Suggester, typed: str, same: str) -> None:
    assert shop.suggest(typed) == shop.suggest(same) != ()


def test_other_names_come_behind_those_that_are_shown(suggester: Suggester, shop: Suggester) -> None:
    assert labels(suggester, "chun") == ["纯牛奶", "牛奶", "纯牛奶多少钱", "牛奶多少钱"]
    assert labels(suggester, "cn") == ["纯牛奶", "牛奶", "纯牛奶多少钱", "牛奶多少钱"]  # though 纯奶 is whole
    assert labels(shop, "退")[-1] == "药房"
    # 衣物清洁剂 is another name of 洗衣液: its initial alone does not bring it, two do.
    assert labels(suggester, "y") == []
    assert labels(suggester, "yw")[0] == "洗衣液"
    assert "砧板" not in labels(shop, "a", limit=20)
    assert "砧板" in labels(shop, "anb")


def test_english_pages_get_english_words(suggester: Suggester) -> None:
    (first, *_) = suggester.suggest("sham", "en")
    assert (first.label, first.text) == ("shampoo", "Where can I find shampoo")
    assert labels(suggester, "xiyiye", "en")[:2] == ["laundry liquid", "Price of laundry liquid"]
    assert "" not in labels(suggester, "chun", "en")  # 纯牛奶 has no English name here, so it is not offered
    assert labels(suggester, "chunniunai", "en") == []


def test_each_text_once_and_no_more_than_asked(shop: Suggester) -> None:
    for typed in ("x", "xi", "s", "a", "洗", "tui", "kd", "快递", "sh", "e"):
        for limit in (1, 3, 8, 20):
            texts = [suggestion.text for suggestion in shop.suggest(typed, limit=limit)]
            assert len(texts) == len(set(texts)) <= limit


def test_nothing_fits(suggester: Suggester) -> None:
    for text in ("zzz", "？！", " ", "\0", "😀", "x" * 64, "红", "iyi"):
        assert suggester.suggest(text) == ()


@pytest.mark.parametrize("text", ["", "洗" * 65])
def test_the_length_is_bounded(suggester: Suggester, text: str) -> None:
    with pytest.raises(InvalidInput, match=f"text: expected 1 to 64 characters, got {len(text)}"):
        suggester.suggest(text)


@pytest.mark.parametrize("limit", [0, 21, -1])
def test_the_number_is_bounded(suggester: Suggester, limit: int) -> None:
    with pytest.raises(InvalidInput, match=f"limit: expected 1 to 20, got {limit}"):
        suggester.suggest("x", limit=limit)


def test_every_suggestion_is_understood_as_what_it_says(store: Pack, parser: Parser) -> None:
    """Each text that can ever be offered, sent without its intent, gets that intent and names its subject."""
    by_slot: dict[str, tuple[Question, ...]] = {}
    for asked in store.questions:
        by_slot[asked.slot] = (*by_slot.get(asked.slot, ()), asked)
    sent = set()
    for _, _, subject in named(by_slot, [e for e in store.lexicon.gazetteer if e.key != ABSENT]):
        for asked in subject.questions:
            for language in ("zh", "en"):
                suggestion = asked.about(subject.names, language)
                parse = parser.parse(Turn(suggestion.text, language=language))
                assert parse.intent.name == suggestion.intent, suggestion
                assert parse.language == language, suggestion
                if asked.slot:
                    values = [entity.value for entity in parse.entities if entity.type == asked.slot]
                    assert subject.names["zh"] in values, suggestion
                sent.add(suggestion.text)
    assert len(sent) > 1400


def test_every_name_of_the_shop_is_found_by_each_way_to_type_it(store: Pack, shop: Suggester) -> None:
    forms = read_forms()
    for row in store.tables["products"]:
        name = row["name_zh"]
        readings = [next((form for form, how in forms(c) if not how), c.lower()) for c in name]
        for typed in (name, name[:-1], "".join(readings), "'".join(readings), name[0] + "".join(readings[1:])):
            assert name in labels(shop, typed, limit=20), (name, typed)
        assert any(name in label for label in labels(shop, "".join(r[0] for r in readings), limit=20)), name
        assert name in labels(shop, row["name_en"], limit=20)


def test_what_the_shop_does_not_carry_is_not_offered(shop: Suggester) -> None:
    assert "手机" not in labels(shop, "shouji")
    assert "电脑" not in labels(shop, "diannao")


def test_many_threads_get_the_same(shop: Suggester) -> None:
    expected = {typed: shop.suggest(typed) for typed in ("x", "xiyi", "洗", "sham", "tuihuo")}
    wrong: list[str] = []

    def ask() -> None:
        for _ in range(50):
            wrong.extend(typed for typed, found in expected.items() if shop.suggest(typed) != found)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
