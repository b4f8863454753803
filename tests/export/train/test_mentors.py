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
from export.train.vary import Varier  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::UserWarning")]
TAGS = tiny_models.TAGS
NUMBERS = {tag: number for number, tag in enumerate(TAGS)}


def by_numpy(model: tagger.Tagger, row: dict[str, Any]) -> Any:
    with torch.inference_mode():
        scores = model.emissions(torch.tensor([row["input_ids"]]), torch.tensor([row["hints"]]))[0].numpy()
    made = model.crf
    weights = (made.start_transitions, made.end_transitions, made.transitions)
    return _posterior(scores, Transitions(*(weight.detach().numpy() for weight in weights)))


def test_what_a_mentor_says_is_the_posterior_that_the_appliance_computes() -> None:
    model, rows = tiny_models.tagger(), tiny_models.tagger_rows(7, 1, 12, 3)
    for row, found in zip(rows, mentors.said([model], rows), strict=True):
        assert found.shape == (len(row["input_ids"]), len(TAGS))
        assert np.allclose(found, by_numpy(model, row), atol=2e-3)
    batch = tag_batch(rows)
    mask = batch["attention_mask"].bool()
    scores = model.packed(batch["input_ids"], batch["hints"], batch["words"], mask.sum(1))
    found = mentors.posteriors(model, scores, mask)
    assert torch.allclose(found.sum(-1), mask.float(), atol=1e-4)
    assert all(weight.grad is None for weight in model.parameters())


def test_several_say_their_mean() -> None:
    one, rows = tiny_models.tagger(), tiny_models.tagger_rows(4, 9)
    torch.manual_seed(99)
    other = tagger.Tagger(60, len(TAGS), one.shape)
    for row, found in zip(rows, mentors.said([one, other], rows), strict=True):
        assert np.allclose(found, (by_numpy(one, row) + by_numpy(other, row)) / 2, atol=2e-3)


@pytest.mark.parametrize("heard", [0.0, 0.3, 1.0])
def test_a_mentor_that_says_the_marks_changes_nothing(monkeypatch: pytest.MonkeyPatch, heard: float) -> None:
    monkeypatch.setattr(tagger, "HEARD", heard)
    model, rows = tiny_models.tagger(), tiny_models.tagger_rows(3, 8, 5)
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
    model, (row,) = tiny_models.tagger(), tiny_models.tagger_rows(6)
    other = [(tag + 1) % len(TAGS) for tag in row["tags"]]
    with torch.inference_mode():
        marks, mentor = (float(model(**tag_batch([{**row, "tags": tags}]))["loss"]) for tags in (row["tags"], other))
        row["said"] = np.eye(len(TAGS), dtype=np.float16)[other]
        found = float(model(**tag_batch([row]))["loss"])
    assert found == pytest.approx((1 - tagger.HEARD) * marks + tagger.HEARD * mentor, rel=1e-4)


def test_neighbours_that_cannot_be_are_not_what_a_mentor_says() -> None:
    # A mentor that is undecided between B- I- and O O says nothing for O I-.
    model = tiny_models.tagger()
    said = torch.zeros(1, 2, len(TAGS))
    said[0, 0, [0, 1]] = said[0, 1, [0, 2]] = 0.5
    assert TAGS[:3] == ("O", "B-product", "I-product")
    scores, mask = torch.zeros(1, 2, len(TAGS)), torch.ones(1, 2, dtype=torch.bool)
    with torch.no_grad():
        model.crf.transitions.zero_()
        model.crf.start_transitions.zero_()
        model.crf.end_transitions.zero_()
        model.crf.transitions[0, 2] = 100.0
        assert float(model.score(scores, said, mask)) < 1.0
        model.crf.transitions[1, 2] = 3.0
        assert float(model.score(scores, said, mask)) > 0.9


def bought(thing: str) -> Sentence:
    return Sentence(f"要买{thing}", spans=(Span(2, 2 + len(thing), "product"),))


TRAIN = [bought(thing) for thing in ("盐", "毛巾", "牙膏", "酱油", "电饭煲", "米")] * 4
FURTHER = [Sentence(bought(thing).text, spanned=False) for thing in ("洗衣液", "醋", "面条")] * 4
DEV = [bought("洗衣液"), bought("面条")]
LETTERS = tagger.character_numbers([*TRAIN, *FURTHER])


def learnt(folder: Path, schedule: Schedule) -> tuple[tagger.Tagger, list[dict[str, Any]]]:
    shape = Shape(embedding=16, hint=0, hidden=16, dropout=0.1)
    more = [*FURTHER, Sentence("", spanned=False)]
    varier = Varier(TRAIN, {}, 1)
    return crf.train(TRAIN, DEV, LETTERS, TAGS, folder, shape, schedule, varier=varier, mentors=2, further=more)


def test_a_tagger_learns_from_text_that_nobody_marked(tmp_path: Path) -> None:
    schedule = Schedule(epochs=12, rate=3e-2, batch=8, patience=12)
    model, log = learnt(tmp_path, schedule)
    assert sorted(path.name for path in tmp_path.glob("mentor-*")) == ["mentor-1", "mentor-2"]
    steps = [row["step"] for row in log if "loss" in row]
    assert steps[0] == -(-(len(TRAIN) + len(FURTHER)) // schedule.batch)
    found = crf.decode(model, crf.rows_of(DEV, LETTERS, NUMBERS, crf.no_hints), TAGS)
    assert [crf.spans_of(tags) for tags in found] == [sentence.spans for sentence in DEV]


def test_a_training_with_mentors_goes_on_with_the_mentors_that_it_had(tmp_path: Path) -> None:
    schedule = Schedule(epochs=9, rate=3e-2, batch=8, patience=2)
    model, log = learnt(tmp_path, schedule)
    there = sorted(str(path) for path in tmp_path.rglob("checkpoint-*"))
    scores = [row["eval_dev_score"] for row in log if "eval_dev_score" in row]
    again, once_more = learnt(tmp_path, schedule)
    # Whoever was at the end, by patience too, learns nothing more.
    assert sorted(str(path) for path in tmp_path.rglob("checkpoint-*")) == there
    assert [row["eval_dev_score"] for row in once_more if "eval_dev_score" in row] == scores
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


def test_what_is_longer_than_the_tagger_reads_is_heard_as_far_as_it_reads() -> None:
    model = tiny_models.tagger()
    numbers = {chr(0x4E00 + number): number for number in range(2, 60)}
    long = Sentence("".join(numbers) * 4, spanned=False)
    rows = crf.rows_of([long], numbers, NUMBERS, crf.no_hints)
    (found,) = mentors.said([model], rows)
    assert found.shape == (crf.LONGEST, len(TAGS))
    rows[0]["said"] = found
    with torch.inference_mode():
        assert torch.isfinite(model(**tag_batch(mentors.unmarked(rows)))["loss"])
