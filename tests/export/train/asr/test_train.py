"""Training: it learns, ends as it would have when it was killed, and batches hold what they should."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("kaldi_native_fbank")

from appliance.speech.ctc.bank import BANDS, SILENCE  # noqa: E402
from export.train.asr import train, units  # noqa: E402
from export.train.asr.model import Acoustic, Shape  # noqa: E402
from export.train.asr.shards import Clip  # noqa: E402
from export.train.asr.train import Row, Schedule  # noqa: E402

pytestmark = pytest.mark.torch

NAMES = (units.BLANK, "ma1", "ni3", "hao3", "shi4")
SHAPE = Shape(len(NAMES), width=24, layers=2, dropout=0.0)
SCHEDULE = Schedule(epochs=3, seconds=8, rate=5e-3, every=4)


class Killed(Exception):
    """Stands for whatever ended a run in the middle."""


def rows(count: int, seed: int = 1) -> list[Row]:
    """Clips in which each unit is a band that is loud for 120 ms."""
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        labels = draw.integers(1, len(NAMES), draw.integers(2, 6)).tolist()
        sound = draw.normal(-9, 0.5, (30 + 20 * len(labels), BANDS))
        middles = []
        for at, label in enumerate(labels):
            begin = 14 + 20 * at
            sound[begin : begin + 12, 16 * label : 16 * label + 8] += 7
            middles.append(begin + 6)
        found.append(Row(sound.astype(np.float16), tuple(labels), tuple(middles)))
    return found


def nothing(_: Acoustic) -> dict[str, float]:
    return {}


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_it_learns_what_is_easy(tmp_path: Path) -> None:
    model = train.fit(SHAPE, NAMES, rows(160), rows(20, 2), tmp_path, replace(SCHEDULE, epochs=8), nothing)
    right = 0
    with torch.inference_mode():
        for row in rows(20, 3):
            best = model(train.collate([row], SHAPE.delay)[0])[0, SHAPE.delay :].argmax(1).tolist()
            right += [a for a, b in zip(best, [0, *best], strict=False) if a not in (0, b)] == list(row.labels)
    assert right >= 16
    read, names = train.load(tmp_path)
    assert names == NAMES
    sound = train.collate(rows(1, 4), SHAPE.delay)[0]
    assert torch.equal(read(sound), model(sound))


@pytest.mark.parametrize("step", [2, 5, 13])
def test_a_run_that_was_killed_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    whole = train.fit(SHAPE, NAMES, rows(40), rows(8, 2), tmp_path, SCHEDULE, nothing)
    killed = tmp_path / "killed"
    killed.mkdir()
    real, steps = train.loss_of, iter(range(10**6))

    def dying(*given: Any) -> Any:
        if next(steps) == step:
            raise Killed
        return real(*given)

    monkeypatch.setattr(train, "loss_of", dying)
    with pytest.raises(Killed):
        train.fit(SHAPE, NAMES, rows(40), rows(8, 2), killed, SCHEDULE, nothing)
    monkeypatch.undo()
    assert not (killed / "acoustic.pt").exists()
    again = train.fit(SHAPE, NAMES, rows(40), rows(8, 2), killed, SCHEDULE, nothing)
    for ours, theirs in zip(again.state_dict().values(), whole.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)
    assert (killed / "history.json").read_text("utf-8") == (tmp_path / "history.json").read_text("utf-8")


def test_batches_hold_every_clip_once_and_no_more_sound_than_allowed() -> None:
    clips = rows(90)
    for epoch in range(3):
        found = train.batches(clips, SCHEDULE, epoch)
        assert sorted(number for batch in found for number in batch) == list(range(90))
        for batch in found:
            longest = max(len(clips[number].features) for number in batch)
            assert len(batch) == 1 or longest * len(batch) <= SCHEDULE.seconds * 100
    assert train.batches(clips, SCHEDULE, 1) == train.batches(clips, SCHEDULE, 1)
    assert train.batches(clips, SCHEDULE, 1) != train.batches(clips, SCHEDULE, 2)
    lengths = [max(len(clips[n].features) for n in batch) for batch in train.batches(clips, SCHEDULE, 0)]
    assert np.corrcoef(lengths, range(len(lengths)))[0, 1] > 0.9, "the first epoch begins with what is short"


def test_a_batch_ends_in_silence_and_knows_where_units_lie() -> None:
    clips = rows(2)
    features, steps, labels, counts, places = train.collate(clips, 3)
    assert features.shape[1] % 4 == 0
    for number, clip in enumerate(clips):
        assert steps[number] == -(-len(clip.features) // 4) + 3
        assert (features[number, len(clip.features) :] == SILENCE).all()
    assert counts.tolist() == [len(clip.labels) for clip in clips]
    assert places[:, 2].tolist() == labels.tolist()
    assert places[0].tolist() == [0, clips[0].middles[0] // 4 + 3, clips[0].labels[0]]


def test_what_cannot_be_learnt_from_is_left_out() -> None:
    block = np.zeros((40, BANDS), np.float16)
    clips = [Clip(text, "", "written", "", 0, 0, 0, 0, 40, middles) for text, middles in (
        ("妈你好", (5, 15, 25)), ("妈你好", ()), ("猫", (5,)), ("", ()), ("妈妈妈妈妈妈", ()),
    )]  # fmt: skip
    found = train.rows_of(clips, [block] * 5, NAMES)
    assert [row.labels for row in found] == [(1, 2, 3), (1, 2, 3)]
    assert [row.middles for row in found] == [(5, 15, 25), ()]
