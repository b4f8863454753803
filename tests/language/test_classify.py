"""What a sentence makes of the encoder's outputs: calibrated intents, sentiment and a vector."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors

from appliance.errors import BackendFailed, DeadlineExceeded, ModelCorrupt
from appliance.language.classify import AT_ONCE, Classifier, Labels, read_labels
from appliance.language.head import fit
from appliance.language.tokenise import Tokeniser

LABELS = Labels("store", ("find", "return", "out_of_scope"), ("neg", "neu", "pos"), 2.0, 0.5, 16)
TEXTS = ("退货", "快递到哪了", "货在哪", "你好", "退", "我要把这个货退了", "递")


class FakeRun:
    """An encoder that gives set logits, and as vector the mean of a fixed one for each piece that counts."""

    def __init__(self, intent: list[float], sentiment: list[float]) -> None:
        self.intent, self.sentiment = intent, sentiment
        self.seen: list[tuple[int, ...]] = []
        self._table = np.random.default_rng(0).normal(0, 1, (64, 6)).astype(np.float32)

    def __call__(
        self, inputs: Mapping[str, npt.NDArray[Any]], /, *, deadline: float | None = None
    ) -> dict[str, npt.NDArray[Any]]:
        ids, mask = inputs["input_ids"], inputs["attention_mask"][..., None]
        self.seen.append(ids.shape)
        means = (self._table[ids] * mask).sum(1) / mask.sum(1)
        return {
            "intent": np.array([self.intent] * len(ids), np.float32),
            "sentiment": np.array([self.sentiment] * len(ids), np.float32),
            "vector": (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32),
        }


@pytest.fixture(scope="module")
def tokeniser(tmp_path_factory: pytest.TempPathFactory) -> Tokeniser:
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *sorted(set("".join(TEXTS)))]
    tokenizer = Tokenizer(models.WordLevel({piece: at for at, piece in enumerate(pieces)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    tokenizer.save(str(path))
    return Tokeniser(path, LABELS.longest)


@pytest.fixture
def run() -> FakeRun:
    return FakeRun([1.0, 3.0, -2.0], [0.2, 0.1, 0.4])


@pytest.fixture
def classifier(run: FakeRun, tokeniser: Tokeniser) -> Classifier:
    return Classifier(run, tokeniser, LABELS)


def softmax(logits: list[float], temperature: float) -> list[float]:
    raised = np.exp(np.array(logits) / temperature)
    return [round(float(value), 4) for value in raised / raised.sum()]


def test_intents_are_calibrated_by_the_temperature_and_come_likeliest_first(classifier: Classifier) -> None:
    find, returned, strange = softmax([1.0, 3.0, -2.0], 2.0)
    found = classifier.read("退货").intents
    assert [intent.name for intent in found] == ["return", "find", "out_of_scope"]
    assert [intent.confidence for intent in found] == pytest.approx([returned, find, strange], abs=1e-4)


def test_sentiment_has_a_temperature_of_its_own(classifier: Classifier) -> None:
    mood = classifier.read("退货").sentiment
    assert mood.name == "pos"
    assert mood.confidence == pytest.approx(softmax([0.2, 0.1, 0.4], 0.5)[2], abs=1e-4)


def test_equals_keep_the_order_of_the_labels(tokeniser: Tokeniser) -> None:
    found = Classifier(FakeRun([0, 0, 0], [0, 0, 0]), tokeniser, LABELS).read("退货")
    assert [intent.name for intent in found.intents] == list(LABELS.intents)
    assert found.sentiment.name == "neg"


def test_great_logits_do_not_overflow(tokeniser: Tokeniser) -> None:
    found = Classifier(FakeRun([1e4, -1e4, 0], [-1e4, 1e4, 0]), tokeniser, LABELS).read("退货")
    assert [(intent.name, intent.confidence) for intent in found.intents][0] == ("find", 1.0)
    assert (found.sentiment.name, found.sentiment.confidence) == ("neu", 1.0)


def test_the_vector_is_the_sentence_s_own(classifier: Classifier, run: FakeRun, tokeniser: Tokeniser) -> None:
    vector = classifier.read("你好").vector
    assert vector.shape == (6,)
    np.testing.assert_array_equal(vector, run(tokeniser.encode("你好"))["vector"][0])


def test_one_sentence_is_one_run_even_when_it_is_empty_or_long(classifier: Classifier, run: FakeRun) -> None:
    for text in ("", "退", "退" * 500):
        assert sum(intent.confidence for intent in classifier.read(text).intents) == pytest.approx(1, abs=1e-3)
    assert run.seen == [(1, 8), (1, 8), (1, 16)]


def test_a_head_names_its_own_intents_from_the_vector(classifier: Classifier) -> None:
    vectors = classifier.vectors(TEXTS)
    head = fit(vectors, ["refund", "parcel", "refund", "hello", "refund", "refund", "parcel"])
    other = classifier.with_head(head)
    assert other.intents == ("hello", "parcel", "refund")
    assert other.labels is classifier.labels
    for text, chances in zip(TEXTS, head.probabilities(vectors), strict=True):
        found = {intent.name: intent.confidence for intent in other.read(text).intents}
        assert found == pytest.approx(dict(zip(head.labels, map(float, chances), strict=True)), abs=1e-3)
        assert other.read(text).sentiment == classifier.read(text).sentiment


def test_the_classifier_that_a_head_was_put_on_stays_as_it_was(classifier: Classifier) -> None:
    before = classifier.read("退货").intents
    classifier.with_head(fit(classifier.vectors(TEXTS[:2]), ["a", "b"]))
    assert classifier.intents == LABELS.intents
    assert classifier.read("退货").intents == before


@pytest.mark.parametrize("error", [BackendFailed("net: expected to run"), DeadlineExceeded("net: expected in time")])
def test_what_fails_in_the_network_is_told(tokeniser: Tokeniser, error: Exception) -> None:
    def fake_failing(
        _: Mapping[str, npt.NDArray[Any]], /, *, deadline: float | None = None
    ) -> dict[str, npt.NDArray[Any]]:
        raise error

    classifier = Classifier(fake_failing, tokeniser, LABELS)
    for call in (lambda: classifier.read("退货"), lambda: classifier.vectors(["退货"])):
        with pytest.raises(type(error)) as caught:
            call()
        assert caught.value is error


@pytest.mark.parametrize("count", [1, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 3 * AT_ONCE + 5])
def test_many_vectors_come_in_the_order_of_their_texts(classifier: Classifier, run: FakeRun, count: int) -> None:
    texts = [TEXTS[number % len(TEXTS)] * (1 + number % 3) for number in range(count)]
    found = classifier.vectors(texts)
    assert (found.shape, found.dtype) == ((count, 6), np.dtype(np.float32))
    assert [shape[0] for shape in run.seen] == [AT_ONCE] * (count // AT_ONCE) + [count % AT_ONCE] * bool(
        count % AT_ONCE
    )
    np.testing.assert_allclose(found, [classifier.read(text).vector for text in texts], atol=1e-5)


def test_sentences_of_about_the_same_length_run_together(classifier: Classifier, run: FakeRun) -> None:
    classifier.vectors(["退", "我要把这个货退了"] * AT_ONCE)
    assert run.seen == [(AT_ONCE, 8), (AT_ONCE, 16)]


def test_no_texts_have_no_vectors(classifier: Classifier, run: FakeRun) -> None:
    assert classifier.vectors([]).shape == (0, 0)
    assert run.seen == []


def test_many_threads_get_the_same_impression(classifier: Classifier) -> None:
    texts = TEXTS * 20
    alone = [classifier.read(text).vector.tolist() for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda text: classifier.read(text).vector.tolist(), texts)) == alone


GOOD = {
    "pack": "store",
    "intents": ["find", "return", "out_of_scope"],
    "polarities": ["neg", "neu", "pos"],
    "temperature": 2.0,
    "sentiment_temperature": 0.5,
    "longest": 16,
}


def test_labels_are_read(tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text(json.dumps(GOOD), "utf-8")
    assert read_labels(tmp_path / "labels.json") == LABELS


@pytest.mark.parametrize("missing", sorted(GOOD))
def test_a_missing_label_is_named(tmp_path: Path, missing: str) -> None:
    (tmp_path / "labels.json").write_text(json.dumps({k: v for k, v in GOOD.items() if k != missing}), "utf-8")
    with pytest.raises(ModelCorrupt, match=rf"^labels\.json: expected labels, got KeyError: '{missing}'$"):
        read_labels(tmp_path / "labels.json")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"[]",
        b"null",
        b"\xff\xfe",
        json.dumps({**GOOD, "intents": 3}).encode(),
        json.dumps({**GOOD, "temperature": "warm"}).encode(),
        json.dumps({**GOOD, "longest": None}).encode(),
    ],
)
def test_labels_that_are_something_else_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "labels.json").write_bytes(content)
    with pytest.raises(ModelCorrupt, match=r"^labels\.json: expected labels, got "):
        read_labels(tmp_path / "labels.json")


def test_labels_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelCorrupt, match=r"^labels\.json: expected labels, got FileNotFoundError"):
        read_labels(tmp_path / "labels.json")
