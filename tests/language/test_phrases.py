"""Packed phrases: the same set as strings would be."""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from pathlib import Path

import pytest

from appliance.errors import ApplianceError
from appliance.language.phrases import Phrases, phrases_of, read_words

PYPINYIN = Path((importlib.util.find_spec("pypinyin").submodule_search_locations)[0])


def test_what_was_put_in_is_found_and_nothing_else() -> None:
    phrases = Phrases.of(["电池", "五号电池", "池", "洗衣液在哪", "AA电", "电池", "\U00020000"])
    assert len(phrases) == 3
    assert all(text in phrases for text in ("电池", "五号电池", "AA电"))
    assert not any(text in phrases for text in ("池", "洗衣液在哪", "", "池电", "电池五号", "\U00020000", "电", 7))


def test_two_sets_join() -> None:
    both = Phrases.of(["电池"]) | Phrases.of(["电池", "牛奶"])
    assert len(both) == 2
    assert "牛奶" in both


def test_an_empty_set_holds_nothing() -> None:
    assert "电池" not in Phrases.of([])


def test_runs_are_counted_within_sentences() -> None:
    sentences = ["洗衣液在哪", "洗衣液多少钱", "", "哪"]
    counted = Counter(s[at : at + n] for s in sentences for n in (2, 3, 4) for at in range(len(s) - n + 1))
    often, once = phrases_of(sentences)
    assert len(often) == sum(count > 1 for count in counted.values())
    assert len(once) == sum(count == 1 for count in counted.values())
    assert all(phrase in (often if count > 1 else once) for phrase, count in counted.items())
    assert "哪洗" not in once, "no run reaches from one sentence into the next"


def test_no_sentences_no_phrases() -> None:
    assert [len(phrases) for phrases in phrases_of([])] == [0, 0]


def test_words_are_the_phrases_that_pypinyin_lists() -> None:
    listed = json.loads((PYPINYIN / "phrases_dict.json").read_text("utf-8"))
    short = [word for word in listed if 2 <= len(word) <= 4 and max(word) <= "\uffff"]
    words = read_words()
    assert len(words) == len(short)
    assert all(word in words for word in short)


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "no such file"), ("[]", "got 0"), (r'{"\u7535\u6c60": [], "牛奶": []}', "without escapes")],
)
def test_a_table_that_is_missing_or_strange_is_said(tmp_path, monkeypatch, content, said) -> None:
    (tmp_path / "pypinyin").mkdir()
    (tmp_path / "pypinyin" / "__init__.py").touch()
    if content is not None:
        (tmp_path / "pypinyin" / "phrases_dict.json").write_text(content)
    spec = importlib.util.spec_from_file_location(
        "pypinyin", tmp_path / "pypinyin" / "__init__.py", submodule_search_locations=[str(tmp_path / "pypinyin")]
    )
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(ApplianceError, match=said):
        read_words()
