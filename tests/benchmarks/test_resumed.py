"""The benchmark of killed trainings: what it writes for them, when it kills, and that one too late says so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.language import resumed
from export.train import sentences

STEPS = """
import json, pathlib, sys, time
learning = pathlib.Path(sys.argv[1])
for epoch in (1, 2):
    folder = learning / "checkpoints" / f"checkpoint-{epoch * 5}"
    folder.mkdir(parents=True)
    (folder / "trainer_state.json").write_text(json.dumps({"epoch": float(epoch)}))
time.sleep(float(sys.argv[2]))
"""


def stepping(learning: Path, rest_s: float) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", STEPS, str(learning), str(rest_s)])


def test_its_data_are_read_again_as_they_were(tmp_path: Path) -> None:
    resumed.data_in(tmp_path, 90)
    train, test = sentences.load(tmp_path, "train"), sentences.load(tmp_path, "test")
    assert (len(train), len(test)) == (90, 30)
    assert any(s.spans for s in train)
    assert all(s.label for s in (*train, *test))
    assert not {s.text for s in train} & {s.text for s in test}


def test_a_training_is_killed_once_its_epochs_are_behind_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resumed, "INTO_S", 0.0)
    process = stepping(tmp_path, 60)
    resumed.killed(process, tmp_path, 2)
    assert process.returncode == -9
    assert resumed.epochs(tmp_path) == 2


def test_a_checkpoint_that_was_not_written_to_its_end_is_no_epoch(tmp_path: Path) -> None:
    (tmp_path / "checkpoints" / "checkpoint-5").mkdir(parents=True)
    assert resumed.epochs(tmp_path) == 0


def test_whoever_comes_too_late_says_so(tmp_path: Path) -> None:
    with pytest.raises(resumed.Late, match="expected a training to kill, got its end"):
        resumed.killed(stepping(tmp_path, 0), tmp_path, 3)


def test_metrics_are_compared_without_their_time(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"network")
    (tmp_path / "metrics.json").write_text(json.dumps({"seconds": 3.2, "f1": 0.9}), "utf-8")
    first = resumed.outcome("intent", tmp_path)
    (tmp_path / "metrics.json").write_text(json.dumps({"seconds": 9.9, "f1": 0.9}), "utf-8")
    assert resumed.outcome("intent", tmp_path) == first
    assert first["metrics"] == {"f1": 0.9}
