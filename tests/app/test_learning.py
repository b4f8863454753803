"""Vectors of frequent questions made behind a running appliance."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from appliance.app import learning
from appliance.app.learning import CHUNK, Learning
from appliance.errors import BackendFailed
from appliance.language.faq import Faq, FaqRow, Weighing
from appliance.language.pinyin import Syllables

WEIGHING = Weighing(1.0, -4.0, 0.0, 8.0, 0.0, 0.0)


class FakeClassifier:
    """Each text's vector is that of its last character; can be held back, and fails as often as it is told."""

    def __init__(self, failures: int = 0) -> None:
        self.failures, self.chunks = failures, 0
        self.free = threading.Event()
        self.free.set()

    def vectors(self, texts: Sequence[str]) -> np.ndarray[Any, Any]:
        self.free.wait(20)
        if self.failures:
            self.failures -= 1
            raise BackendFailed("the network failed")
        self.chunks += 1
        return np.array([np.eye(4, dtype=np.float32)[int(text[-1]) % 4] for text in texts])


def questions(count: int) -> tuple[Faq, list[str]]:
    rows = [FaqRow(f"row{n}", {"zh": f"问{n}"}, {"zh": "答"}, (f"问{n}", f"再问{n}")) for n in range(count)]
    return Faq(rows, [row.ways for row in rows], Syllables()), [way for row in rows for way in row.ways]


def begun(classifier: FakeClassifier, count: int = 40) -> tuple[Learning, Faq, list[Any]]:
    faq, texts = questions(count)
    kept: list[Any] = []
    made = Learning(faq, texts, classifier, WEIGHING, kept.append)  # type: ignore[arg-type]
    made.start()
    return made, faq, kept


def test_rows_are_found_by_words_until_all_vectors_are_made() -> None:
    classifier = FakeClassifier()
    classifier.free.clear()
    made, faq, kept = begun(classifier)
    vector = np.eye(4, dtype=np.float32)[3]
    assert "0/80" in made.statement
    assert faq.ranked("问7", vector)[0].meaning == 0
    classifier.free.set()
    assert made.wait(20)
    assert (made.statement, classifier.chunks) == ("", -(-80 // CHUNK))
    assert faq.ranked("问7", vector)[0].meaning > 0.5
    assert kept[0].shape == (80, 4)
    made.close()


def test_a_network_that_fails_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "AGAIN_S", 0.01)
    made, _, kept = begun(FakeClassifier(failures=3))
    assert made.wait(20)
    assert len(kept) == 1


def test_closing_ends_it_without_keeping_half() -> None:
    classifier = FakeClassifier(failures=10**6)
    made, faq, kept = begun(classifier)
    made.close()
    assert kept == []
    assert made.statement
    assert faq.ranked("问1", np.eye(4, dtype=np.float32)[1])[0].meaning == 0


def test_closing_before_the_start_is_harmless() -> None:
    faq, texts = questions(1)
    Learning(faq, texts, FakeClassifier(), WEIGHING, lambda _: None).close()  # type: ignore[arg-type]
