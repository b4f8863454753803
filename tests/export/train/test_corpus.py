"""The corpus is made of what is for training alone, and divided the same way every time."""

from __future__ import annotations

import builtins
import io
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from appliance.language.clean import Cleaner
from appliance.packs.compile import load_pack
from appliance.packs.schema import Pack
from export.train import corpus, sentences
from export.train.corpus import Corpus, Question


@pytest.fixture(scope="module")
def store() -> Pack:
    return load_pack("store")


@pytest.fixture(scope="module")
def whole(store: Pack) -> Corpus:
    return corpus.load(store, each=3)


def test_no_test_file_is_read(store: Pack, whole: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def guarded(opener: Callable[..., Any]) -> Callable[..., Any]:
        def watch(path: Any, *arguments: Any, **named: Any) -> Any:
            if isinstance(path, str | os.PathLike):
                opened.append(str(path))
                inside = Path(path).resolve()
                if corpus.DATA in inside.parents and "test" in inside.relative_to(corpus.DATA).parts:
                    raise AssertionError(f"a test file was opened: {path}")
            return opener(path, *arguments, **named)

        return watch

    for owner, name in ((builtins, "open"), (io, "open"), (Path, "open"), (Path, "read_text"), (Path, "read_bytes")):
        monkeypatch.setattr(owner, name, guarded(getattr(owner, name)))
    assert corpus.load(store, each=3) == whole
    assert any(name.endswith("unanswered.csv") for name in opened)  # the watch sees what is read
    assert any(name.endswith("greet.txt") for name in opened)
    with pytest.raises(AssertionError, match="a test file was opened"):
        sentences.load(corpus.DATA, "test")


def test_without_test_files_it_is_the_same(store: Pack, whole: Corpus, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(corpus.DATA, tmp_path / "store", ignore=shutil.ignore_patterns("test")))
    assert not (copy / "test").exists()
    assert corpus.load(store, copy, each=3) == whole


def test_dev_is_a_tenth_and_no_text_of_it_is_learnt(whole: Corpus) -> None:
    written = sentences.load(corpus.DATA, "train")
    assert len(whole.train) + len(whole.dev) == len(written)
    assert len(whole.dev) / len(written) == pytest.approx(0.1, abs=0.02)
    assert len(whole.dev_questions) / len(whole.questions) == pytest.approx(0.11, abs=0.03)
    asked = {question.text for question in whole.questions}
    assert not asked & {question.text for question in whole.dev_questions}


def test_every_intent_is_in_both(store: Pack, whole: Corpus) -> None:
    intents = {rule.name for rule in store.lexicon.intents}
    assert set(sentences.labels(whole.train)) == intents
    assert set(sentences.labels(whole.dev)) == intents
    assert set(sentences.labels(whole.drawn)) == intents


def test_everything_is_clean(whole: Corpus) -> None:
    cleaner = Cleaner()
    found = [*(s.text for s in (*whole.train, *whole.dev, *whole.drawn)), *(q.text for q in whole.questions)]
    assert all(found)
    assert [text for text in found[::7] if cleaner.clean(text).text != text] == []


def test_texts_has_everything_once(whole: Corpus) -> None:
    texts = whole.texts
    assert len(set(texts)) == len(texts)
    wanted = {s.text for s in (*whole.train, *whole.dev, *whole.drawn)}
    wanted |= {q.text for q in (*whole.questions, *whole.dev_questions)}
    assert set(texts) == wanted


def test_questions_are_the_packs_and_those_that_nothing_answers(store: Pack, whole: Corpus) -> None:
    found = [*whole.questions, *whole.dev_questions]
    assert {q.row for q in found} == {row.id for row in store.faq} | {""}
    assert len(found) == sum(len(row.ways) for row in store.faq) + len(corpus.unanswered(corpus.DATA))
    ways = corpus.questions_of(store)
    assert ways[: len(store.faq[0].ways)] == [Question(store.faq[0].id, way) for way in store.faq[0].ways]


def test_more_expansions_for_who_wants_them(store: Pack, whole: Corpus) -> None:
    more = corpus.load(store, each=5)
    assert len(more.drawn) > len(whole.drawn)
    assert (more.train, more.dev, more.questions) == (whole.train, whole.dev, whole.questions)
    assert corpus.load(store, each=3, seed=8).drawn != whole.drawn


def test_which_texts_are_dev_depends_on_the_text_and_the_share() -> None:
    texts = [f"第{number}句" for number in range(5000)]
    chosen = {text for text in texts if corpus.is_dev(text)}
    assert len(chosen) / len(texts) == pytest.approx(0.1, abs=0.015)
    assert chosen < {text for text in texts if corpus.is_dev(text, 0.3)}
    assert not any(corpus.is_dev(text, 0.0) for text in texts)
    assert all(corpus.is_dev(text, 1.0) for text in texts)
    # The beginning of sha256 in this order: the same on every machine and in every run.
    assert [corpus.is_dev(text) for text in ("abc", "hello", "洗衣液在哪")] == [False, False, False]
    assert corpus.is_dev("abc", 0.73)  # ba7816bf... is 0.7284 of the whole
    assert not corpus.is_dev("abc", 0.72)


def test_test_questions_are_read_with_their_style(tmp_path: Path) -> None:
    path = tmp_path / "faq.csv"
    path.write_text('id,question,style\nrefund,"退货，要 ""小票"" 吗",plain\n,附近有加油站吗,short\n', "utf-8")
    assert corpus.read_test_questions(path) == [
        Question("refund", '退货，要 "小票" 吗', "plain"),
        Question("", "附近有加油站吗", "short"),
    ]


def test_the_projects_test_questions_name_rows_of_the_pack(store: Pack) -> None:
    asked = corpus.read_test_questions(corpus.DATA / "test" / "faq.csv")
    assert {question.row for question in asked} <= {row.id for row in store.faq} | {""}
    assert {question.style for question in asked} <= set(sentences.STYLES)
    assert all(re.search(r"\S", question.text) for question in asked)
