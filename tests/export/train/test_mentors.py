"""Several taggers speak with one voice, and another learns from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tiny_models  # noqa: E402

from appliance.language.viterbi import Transitions, _posterior  # noqa: E402
from export.train import crf, mentors, tagger  # noqa: E402
from export.train.fit import Schedule  # noqa: E402
from export.train.model import IGNORED  # noqa: E402
from export.train.sentences import Sentence, Span  # noqa: E402
from export.train.tagger import Shape, tag_batch  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::UserWarning")]
TAGS = tiny_models.TAGS
NUMBERS = {tag: number for number, tag in enumerate(TAGS)}


def some_rows(*lengths: int) -> list[dict[str, Any]]:
    draw = np.random.default_rng(5)
    return [
        {
            "input_ids": draw.integers(1, 60, length).tolist(),
            "hints": draw.integers(0, len(TAGS), length).tolist(),
            "words": [0] * length,
            "tags": draw.integers(0, len(TAGS), length).tolist(),
        }
        for length in lengths
    ]


def by_numpy(model: tagger.Tagger, row: dict[str, Any]) -> Any:
    with torch.inference_mode():
        scores = model.emissions(torch.tensor([row["input_ids"]]), torch.tensor([row["hints"]]))[0].numpy()
    made = model.crf
    weights = (made.start_transitions, made.end_transitions, made.transitions)
    return _posterior(scores, Transitions(*(weight.detach().numpy() for weight in weights)))


def test_what_a_mentor_says_is_the_posterior_that_the_appliance_computes() -> None:
    model, rows = tiny_models.tagger(), some_rows(7, 1, 12, 3)
    for row, found in zip(rows, mentors.said([model], rows), strict=True):
        assert found.shape == (len(row["input_ids"]), len(TAGS))
        assert np.allclose(found, by_numpy(model, row), atol=2e-3)
    batch = tag_batch(rows)
    found = mentors.posteriors(model, batch)
    assert torch.allclose(found.sum(-1), batch["attention_mask"].float(), atol=1e-4)


def test_several_say_their_mean() -> None:
    one, rows = tiny_models.tagger(), some_rows(4, 9)
    torch.manual_seed(99)
    other = tagger.Tagger(60, len(TAGS), one.shape)
    for row, found in zip(rows, mentors.said([one, other], rows), strict=True):
        assert np.allclose(found, (by_numpy(one, row) + by_numpy(other, row)) / 2, atol=2e-3)


@pytest.mark.parametrize("heard", [0.0, 0.3, 1.0])
def test_a_mentor_that_says_the_marks_changes_nothing(monkeypatch: pytest.MonkeyPatch, heard: float) -> None:
    monkeypatch.setattr(tagger, "HEARD", heard)
    model, rows = tiny_models.tagger(), some_rows(3, 8, 5)
    with torch.inference_mode():
        alone = float(model(**tag_batch(rows))["loss"])
        for row in rows:
            row["said"] = np.eye(len(TAGS), dtype=np.float16)[row["tags"]]
        assert float(model(**tag_batch(rows))["loss"]) == pytest.approx(alone, rel=1e-4)
        # Without marks the mentor alone is heard, and it says the same.
        unmarked = mentors.unmarked(rows)
        assert all(tag == IGNORED for row in unmarked for tag in row["tags"])
        assert float(model(**tag_batch(unmarked))["loss"]) == pytest.approx(alone, rel=1e-4)


def test_marks_are_heard_less_where_a_mentor_disagrees() -> None:
    model, (row,) = tiny_models.tagger(), some_rows(6)
    other = [(tag + 1) % len(TAGS) for tag in row["tags"]]
    with torch.inference_mode():
        marks, mentor = (float(model(**tag_batch([{**row, "tags": tags}]))["loss"]) for tags in (row["tags"], other))
        row["said"] = np.eye(len(TAGS), dtype=np.float16)[other]
        found = float(model(**tag_batch([row]))["loss"])
    assert found == pytest.approx((1 - tagger.HEARD) * marks + tagger.HEARD * mentor, rel=1e-4)


def test_a_tagger_learns_from_text_that_nobody_marked(tmp_path: Path) -> None:
    def bought(thing: str, verb: str = "买") -> Sentence:
        return Sentence(f"要{verb}{thing}", spans=(Span(2, 2 + len(thing), "product"),))

    train = [bought(thing) for thing in ("盐", "毛巾", "牙膏", "酱油", "电饭煲", "米")] * 4
    further = [Sentence(bought(thing).text, spanned=False) for thing in ("洗衣液", "醋", "面条")] * 4
    dev = [bought("洗衣液"), bought("面条")]
    numbers = tagger.character_numbers([*train, *further])
    shape = Shape(embedding=16, hint=0, hidden=16, dropout=0.1)
    schedule = Schedule(epochs=6, rate=3e-2, batch=8, patience=6)
    model, log = crf.train(train, dev, numbers, TAGS, tmp_path, shape, schedule, mentors=2, further=further)
    assert sorted(path.name for path in tmp_path.glob("mentor-*")) == ["mentor-1", "mentor-2"]
    steps = [row["step"] for row in log if "loss" in row]
    assert steps[0] == -(-(len(train) + len(further)) // schedule.batch)
    found = crf.decode(model, crf.rows_of(dev, numbers, NUMBERS, crf.no_hints), TAGS)
    assert [crf.spans_of(tags) for tags in found] == [sentence.spans for sentence in dev]
    # The second time all of them are there: nothing is trained, and the same comes out.
    again, _ = crf.train(train, dev, numbers, TAGS, tmp_path, shape, schedule, mentors=2, further=further)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
