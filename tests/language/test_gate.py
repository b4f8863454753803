"""Task metrics of the language networks, counted by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

from appliance.errors import BackendFailed, ManifestInvalid, ModelCorrupt
from appliance.language.gate import (
    INTENT_ACCURACY,
    MENTION_F1,
    METRICS,
    Sample,
    intent_accuracy,
    mention_f1,
    samples,
)

INTENTS = ("find", "return")
TAGS = ("O", "B-product", "I-product", "B-person", "I-person")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What lies beside the networks: tokenizer, labels and alphabet."""
    tokenizer = Tokenizer(models.WordLevel({"<pad>": 0, "<unk>": 1, "退": 2}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    labels = {"pack": "store", "intents": INTENTS, "polarities": ["neg", "pos"], "longest": 32}
    labels |= {"temperature": 1.5, "sentiment_temperature": 1.0}
    (tmp_path / "labels.json").write_text(json.dumps(labels), "utf-8")
    alphabet = {"characters": list("张三牙膏"), "tags": TAGS, "begin": [0] * 5, "end": [0] * 5, "longest": 32}
    alphabet["transitions"] = [[0] * 5] * 5
    (tmp_path / "tagger.json").write_text(json.dumps(alphabet), "utf-8")
    return tmp_path


def fake_understanding(
    inputs: Mapping[str, npt.NDArray[Any]], /, *, deadline: float | None = None
) -> dict[str, npt.NDArray[Any]]:
    """Says `return` for a sentence with 退, and `find` for any other."""
    returned = float((inputs["input_ids"] == 2).any())
    return {
        "intent": np.array([[1 - returned, returned]], np.float32),
        "sentiment": np.array([[0, 0]], np.float32),
        "vector": np.array([[1, 0]], np.float32),
    }


def fake_tagging(
    inputs: Mapping[str, npt.NDArray[Any]], /, *, deadline: float | None = None
) -> dict[str, npt.NDArray[Any]]:
    """Believes the hints and adds 张三 (numbers 2 and 3) as a person."""
    tags = np.where(inputs["characters"] == 2, 3, np.where(inputs["characters"] == 3, 4, inputs["hints"]))
    return {"emissions": np.eye(5, dtype=np.float32)[tags] * 9}


def sample(text: str, label: str = "find", spans: object = (), hints: object = ()) -> Sample:
    return Sample(text, label, spans, hints)  # type: ignore[arg-type]


def test_accuracy_is_the_share_of_right_intents(folder: Path) -> None:
    cases = [sample("退货", "return"), sample("牙膏"), sample("退不退"), sample("不要了", "return")]
    assert intent_accuracy(fake_understanding, folder, cases) == 0.5
    assert intent_accuracy(fake_understanding, folder, cases[:2]) == 1.0
    assert intent_accuracy(fake_understanding, folder, cases[2:]) == 0.0


def test_an_intent_that_the_network_does_not_know_is_never_right(folder: Path) -> None:
    assert intent_accuracy(fake_understanding, folder, [sample("退货", "return"), sample("退", "juggle")]) == 0.5


def test_f1_counts_whole_mentions_of_the_right_type(folder: Path) -> None:
    cases = [
        # Both right: the person by the network, the product by the hint.
        sample("张三要牙膏", spans=((0, 2, "person"), (3, 5, "product")), hints=((3, 5, "product"),)),
        # The hint is too long, so it is found and wrong, and the one that was meant is missed.
        sample("牙膏啊", spans=((0, 2, "product"),), hints=((0, 3, "product"),)),
        # Right place, wrong type.
        sample("张三", spans=((0, 2, "product"),)),
        # A hint of a type that the network does not know is not shown to it.
        sample("三斤牙膏", spans=((0, 2, "weight"),), hints=((1, 2, "weight"),)),
    ]
    # Found: 2 + 1 + 1 + 1 (三 alone continues nothing and so begins a person); meant: 2 + 1 + 1 + 1; right: 2.
    assert mention_f1(fake_tagging, folder, cases) == pytest.approx(2 * 2 / (5 + 5))
    assert mention_f1(fake_tagging, folder, cases[:1]) == 1.0


def test_f1_is_nothing_where_nothing_is_found_or_nothing_is_right(folder: Path) -> None:
    assert mention_f1(fake_tagging, folder, [sample("牙膏"), sample("")]) == 0.0
    assert mention_f1(fake_tagging, folder, [sample("牙膏", spans=((0, 2, "product"),))]) == 0.0
    assert mention_f1(fake_tagging, folder, [sample("张三")]) == 0.0


def test_no_cases_reach_nothing(folder: Path) -> None:
    assert {metric(fake_understanding, folder, []) for metric in METRICS.values()} == {0.0}


def test_a_network_that_fails_fails_the_gate(folder: Path) -> None:
    def fake_failing(
        _: Mapping[str, npt.NDArray[Any]], /, *, deadline: float | None = None
    ) -> dict[str, npt.NDArray[Any]]:
        raise BackendFailed("net: expected to run")

    for metric in METRICS.values():
        with pytest.raises(BackendFailed, match="net: expected to run"):
            metric(fake_failing, folder, [sample("退货")])


@pytest.mark.parametrize(
    ("metric", "file"),
    [(INTENT_ACCURACY, "labels.json"), (INTENT_ACCURACY, "tokenizer.json"), (MENTION_F1, "tagger.json")],
)
def test_what_is_missing_beside_the_network_is_named(folder: Path, metric: str, file: str) -> None:
    (folder / file).unlink()
    with pytest.raises(ModelCorrupt, match=rf"^{file}: expected "):
        METRICS[metric](fake_understanding, folder, [sample("退货")])


def test_manifests_name_the_metrics() -> None:
    assert dict(METRICS) == {"intent_accuracy": intent_accuracy, "mention_f1": mention_f1}


def test_samples_are_read(tmp_path: Path) -> None:
    lines = [
        {"text": "张三要牙膏", "label": "find", "spans": [[0, 2, "person"]], "hints": [[3, 5, "product"]], "more": 1},
        {"text": "", "label": "", "spans": [], "hints": []},
    ]
    (tmp_path / "cases.jsonl").write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines), "utf-8")
    assert list(samples(tmp_path / "cases.jsonl")) == [
        Sample("张三要牙膏", "find", ((0, 2, "person"),), ((3, 5, "product"),)),
        Sample("", "", (), ()),
    ]
    (tmp_path / "none.jsonl").write_text("", "utf-8")
    assert list(samples(tmp_path / "none.jsonl")) == []


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("not json", "JSONDecodeError"),
        ("", "JSONDecodeError"),
        ("[]", "TypeError"),
        ('{"text": "a", "label": "b", "spans": []}', "KeyError: 'hints'"),
        ('{"label": "b", "spans": [], "hints": []}', "KeyError: 'text'"),
        ('{"text": "a", "label": "b", "spans": [[0, 1]], "hints": []}', "ValueError"),
        ('{"text": "a", "label": "b", "spans": [["x", 1, "t"]], "hints": []}', "ValueError"),
        ('{"text": "a", "label": "b", "spans": null, "hints": []}', "TypeError"),
    ],
)
def test_a_line_that_is_no_sample_is_named(tmp_path: Path, line: str, error: str) -> None:
    good = '{"text": "a", "label": "b", "spans": [], "hints": []}'
    (tmp_path / "cases.jsonl").write_text(f"{good}\n{line}\n{good}\n", "utf-8")
    found = samples(tmp_path / "cases.jsonl")
    assert next(found).text == "a"
    with pytest.raises(ManifestInvalid, match=rf"^cases\.jsonl:2: expected text, label, spans and hints, got {error}"):
        next(found)
