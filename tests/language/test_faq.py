"""Which frequent question answers: words and meaning joined, calibrated, refused where nothing fits."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from appliance.errors import ModelCorrupt
from appliance.language.faq import WORDS_ALONE, Faq, FaqRow, Ranked, Weighing, lead_of, read_weighing
from appliance.language.head import Floats
from appliance.language.ngrams import features
from appliance.language.pinyin import Syllables

ASKED = {
    "toilet": ("厕所在哪里", "where is the toilet", "洗手间怎么走"),
    "hours": ("几点关门", "你们营业到几点"),
    "parking": ("停车怎么收费", "停车场多少钱一小时", "is parking free", "停车免费吗"),
    "pets": ("可以带狗进来吗",),
}
BOTH = Weighing(mix=0.6, bias=-3.0, words=2.0, meaning=5.0, lead=3.0, strange=-4.0)


def rows_of(asked: Mapping[str, tuple[str, ...]]) -> list[FaqRow]:
    return [
        FaqRow(name, {"zh": ways[0], "en": ways[0]}, {"zh": name, "en": name}, ways) for name, ways in asked.items()
    ]


def vectors_of(sizes: Sequence[int], seed: int = 0, width: int = 10) -> Floats:
    """A direction for each row, one that all share, and a little that is each way's own."""
    rng = np.random.default_rng(seed)
    rows = np.concatenate([rng.normal(0, 1, width) + rng.normal(0, 0.3, (size, width)) for size in sizes]) + rng.normal(
        0, 3, width
    )
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


SIZES = [len(ways) for ways in ASKED.values()]
VECTORS = vectors_of(SIZES)


@pytest.fixture(scope="module")
def words(syllables: Syllables) -> Faq:
    return Faq(rows_of(ASKED), list(ASKED.values()), syllables)


@pytest.fixture(scope="module")
def both(syllables: Syllables) -> Faq:
    return Faq(rows_of(ASKED), list(ASKED.values()), syllables, VECTORS, BOTH)


def meanings(vector: Floats, vectors: Floats, sizes: Sequence[int]) -> list[float]:
    """Cosine with the mean of each row's ways, all seen from the middle of all ways."""
    centre = vectors.mean(0, dtype=np.float64)
    moved = vectors - centre
    moved /= np.linalg.norm(moved, axis=1, keepdims=True)
    asked = vector - centre
    found, start = [], 0
    for size in sizes:
        mean = moved[start : start + size].mean(0)
        found.append(float(asked @ mean / np.linalg.norm(asked) / np.linalg.norm(mean)))
        start += size
    return found


def bm25(rows: Sequence[Sequence[str]], text: str, syllables: Syllables) -> list[float]:
    """Share of the highest score that each row reaches, by the formula of Okapi BM25 with k1 1.2 and b 0.75."""
    documents = [[name for way in ways for name in {name for name, _ in features(way, syllables)}] for ways in rows]
    mean = sum(map(len, documents)) / len(documents)
    asked = dict(features(text, syllables))
    scores, most = [0.0] * len(documents), 0.0
    for name, weight in asked.items():
        having = sum(name in document for document in documents)
        rarity = math.log(1 + (len(documents) - having + 0.5) / (having + 0.5))
        most += weight * rarity * 2.2
        for number, document in enumerate(documents):
            times = document.count(name)
            length = 0.25 + 0.75 * len(document) / mean
            scores[number] += weight * rarity * times * 2.2 / (times + 1.2 * length)
    return [score / most for score in scores]


@pytest.mark.parametrize("name", list(ASKED))
def test_every_way_of_asking_finds_its_row_and_itself(words: Faq, name: str) -> None:
    strange = words.find("量子力学是谁发现的")[0].confidence
    for way in ASKED[name]:
        best = words.find(way)[0]
        assert (best.id, best.way, best.meaning) == (name, way, 0.0)
        assert best.confidence > max(0.5, strange)


def test_a_question_that_nothing_answers_is_refused(words: Faq) -> None:
    for text in ("量子力学是谁发现的", "我要退货"):
        assert words.find(text)[0].confidence < 0.5
    assert words.find("停") == ()  # one character is in too many questions


def test_a_sentence_between_the_ways_of_a_row_names_the_likest_of_them(words: Faq) -> None:
    best = words.find("停车一小时多少钱")[0]
    assert (best.id, best.way) == ("parking", "停车场多少钱一小时")


@pytest.mark.parametrize("text", ["停车到几点", "where is parking", "厕所在哪里", "可以停车吗 parking"])
def test_likeness_of_words_is_how_much_of_them_the_row_s_ways_have(words: Faq, syllables: Syllables, text: str) -> None:
    by_row = bm25(list(ASKED.values()), text, syllables)
    found = words.ranked(text)
    assert {one.row: one.words for one in found} == pytest.approx(dict(enumerate(by_row)), abs=1e-5)
    assert [one.likeness for one in found] == pytest.approx(sorted(by_row, reverse=True), abs=1e-5)
    assert all(0 <= one.words <= 1 for one in found)


def test_meaning_is_the_cosine_with_the_row_s_mean(both: Faq) -> None:
    vector = vectors_of([1], seed=5)[0]
    found = both.ranked("停车到几点", vector)
    assert {one.row: one.meaning for one in found} == pytest.approx(
        dict(enumerate(meanings(vector, VECTORS, SIZES))), abs=1e-5
    )
    assert all(
        one.likeness == pytest.approx((1 - BOTH.mix) * one.words + BOTH.mix * one.meaning, abs=1e-6) for one in found
    )
    assert [one.likeness for one in found] == sorted((one.likeness for one in found), reverse=True)


def test_meaning_finds_a_row_whose_words_nobody_said(both: Faq, words: Faq) -> None:
    hours = VECTORS[sum(SIZES[:1]) : sum(SIZES[:2])].mean(0)
    best = both.find("门几时锁上", hours)[0]
    assert best.id == "hours"
    assert best.meaning > 0.9
    assert best.confidence > words.find("门几时锁上")[0].confidence


@pytest.mark.parametrize(("mix", "name"), [(0.0, "toilet"), (1.0, "pets")])
def test_the_mix_says_which_likeness_ranks(syllables: Syllables, mix: float, name: str) -> None:
    faq = Faq(rows_of(ASKED), list(ASKED.values()), syllables, VECTORS, replace(BOTH, mix=mix))
    assert faq.find("厕所在哪里", VECTORS[-1])[0].id == name


def test_confidence_is_the_logistic_of_all_that_speaks_for_it(both: Faq) -> None:
    vector = VECTORS[4]
    for strange in (0.0, 0.3, 1.0):
        first, second, *_ = both.ranked("停车到几点", vector)
        said = -3.0 + 2.0 * first.words + 5.0 * first.meaning + 3.0 * (first.likeness - second.likeness) - 4.0 * strange
        assert both.find("停车到几点", vector, strange)[0].confidence == pytest.approx(
            1 / (1 + math.exp(-said)), abs=1e-4
        )


def test_a_turn_that_is_out_of_scope_is_believed_less(both: Faq) -> None:
    sure = [both.find("厕所在哪里", VECTORS[0], strange)[0].confidence for strange in (0.0, 0.5, 1.0)]
    assert sure == sorted(sure, reverse=True)
    assert sure[0] > sure[2] + 0.1


def test_the_rows_behind_share_what_is_left(both: Faq, words: Faq) -> None:
    for found in (both.find("厕所在哪里", VECTORS[0]), words.find("停车到几点"), words.find("量子力学")):
        confidences = [match.confidence for match in found]
        assert len(found) == 3
        assert confidences == sorted(confidences, reverse=True)
        assert sum(confidences) <= 1.0001
        assert len({match.id for match in found}) == 3


@pytest.mark.parametrize(("most", "count"), [(1, 1), (2, 2), (4, 4), (50, 4)])
def test_no_more_rows_than_asked_for_and_than_there_are(words: Faq, most: int, count: int) -> None:
    assert len(words.find("停车到几点", most=most)) == count


def test_one_row_leads_over_nothing(syllables: Syllables) -> None:
    faq = Faq(rows_of({"pets": ASKED["pets"]}), [ASKED["pets"]], syllables, VECTORS[-1:], BOTH)
    (found,) = faq.ranked("可以带狗进来吗", VECTORS[-1])
    assert lead_of([found]) == found.likeness
    assert [match.id for match in faq.find("可以带狗进来吗", VECTORS[-1])] == ["pets"]


def test_lead_is_the_distance_to_the_next() -> None:
    assert lead_of([Ranked(0.75, 1, 0, 0), Ranked(0.5, 1, 0, 1), Ranked(0, 0, 0, 2)]) == 0.25


def test_nothing_asked_or_nothing_to_answer_finds_nothing(words: Faq, syllables: Syllables) -> None:
    assert words.find("") == ()
    assert Faq([], [], syllables).find("厕所在哪里", VECTORS[0]) == ()
    assert Faq([], [], syllables, np.empty((0, 0), np.float32), BOTH).find("厕所") == ()


def test_without_vectors_the_sentence_s_own_says_nothing(words: Faq) -> None:
    assert words.find("厕所在哪", VECTORS[-1]) == words.find("厕所在哪")


def test_without_the_sentence_s_vector_the_words_are_weighed_alone(both: Faq, words: Faq) -> None:
    for text in ("厕所在哪里", "停车到几点", "量子力学"):
        assert both.find(text) == words.find(text)
        assert both.ranked(text) == words.ranked(text)


def test_vectors_that_come_later_count_from_then_on(both: Faq, syllables: Syllables) -> None:
    faq = Faq(rows_of(ASKED), list(ASKED.values()), syllables)
    before = faq.find("厕所在哪里", VECTORS[-1])
    assert {match.meaning for match in before} == {0.0}
    faq.learn(VECTORS, BOTH)
    assert faq.find("厕所在哪里", VECTORS[-1]) == both.find("厕所在哪里", VECTORS[-1]) != before
    assert faq.find("厕所在哪里") == before


def test_a_turn_sees_the_vectors_with_their_weights_or_neither(both: Faq, syllables: Syllables) -> None:
    faq = Faq(rows_of(ASKED), list(ASKED.values()), syllables)
    asked = ("停车到几点", VECTORS[-1])
    allowed = (faq.find(*asked), both.find(*asked))
    with ThreadPoolExecutor(8) as pool:
        looked_up = [pool.submit(faq.find, *asked) for _ in range(100)]
        faq.learn(VECTORS, BOTH)
        looked_up += [pool.submit(faq.find, *asked) for _ in range(20)]
    assert all(one.result() in allowed for one in looked_up)
    assert looked_up[-1].result() == allowed[1]


MANY = {f"row{number}": (f"{chr(0x4E00 + 37 * number)}{chr(0x5E00 + 11 * number)}怎么办",) for number in range(100)}


def test_among_many_rows_the_likest_are_looked_at(syllables: Syllables) -> None:
    faq = Faq(rows_of(MANY), list(MANY.values()), syllables)
    every = bm25(list(MANY.values()), MANY["row77"][0], syllables)
    found = faq.ranked(MANY["row77"][0])
    assert len(found) < 100
    assert found[0].row == 77
    assert [one.likeness for one in found] == pytest.approx(sorted(every, reverse=True)[: len(found)], abs=1e-5)


def test_among_many_rows_one_is_found_by_its_meaning_alone(syllables: Syllables) -> None:
    vectors = vectors_of([1] * 100, width=64)
    faq = Faq(rows_of(MANY), list(MANY.values()), syllables, vectors, BOTH)
    for number in (0, 50, 99):
        best = faq.find("完全不同", vectors[number])[0]
        assert best.id == f"row{number}"
        assert best.meaning == pytest.approx(1.0, abs=1e-4)


def test_many_threads_get_the_same_rows(both: Faq) -> None:
    asked = [(way, vector) for ways in ASKED.values() for way in ways for vector in VECTORS]
    alone = [both.find(*one) for one in asked]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda one: both.find(*one), asked)) == alone


GOOD = {"mix": 0.6, "bias": -3, "words": 2.0, "meaning": 5.0, "lead": 3, "strange": -4.0}


def test_weights_are_read(tmp_path: Path) -> None:
    (tmp_path / "faq.json").write_text(json.dumps(dict(reversed(GOOD.items()))), "utf-8")
    assert read_weighing(tmp_path / "faq.json") == BOTH


@pytest.mark.parametrize("missing", sorted(GOOD))
def test_a_missing_weight_is_named(tmp_path: Path, missing: str) -> None:
    (tmp_path / "faq.json").write_text(json.dumps({k: v for k, v in GOOD.items() if k != missing}), "utf-8")
    with pytest.raises(ModelCorrupt, match=rf"^faq\.json: expected weights, got KeyError: '{missing}'$"):
        read_weighing(tmp_path / "faq.json")


@pytest.mark.parametrize("content", [None, b"", b"no", b"[]", b"\xff", json.dumps({**GOOD, "lead": "far"}).encode()])
def test_a_file_that_holds_no_weights_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "faq.json").write_bytes(content)
    with pytest.raises(ModelCorrupt, match=r"^faq\.json: expected weights, got "):
        read_weighing(tmp_path / "faq.json")


def test_weights_for_words_alone_say_nothing_of_meaning() -> None:
    assert (WORDS_ALONE.mix, WORDS_ALONE.meaning, WORDS_ALONE.strange) == (0, 0, 0)
    likely, unlikely = (
        WORDS_ALONE.confidence(Ranked(said, said, 0, 0), lead, 1.0) for said, lead in ((0.9, 0.3), (0, 0))
    )
    assert likely > 0.5 > unlikely
