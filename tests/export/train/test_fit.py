"""A training that was killed ends as it would have; the best epoch is kept; it ends early where nothing gets better."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import run_fit  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from export.train import precision  # noqa: E402

REPOSITORY = Path(__file__).parent.parent.parent.parent
# The Trainer warns of what a machine without a GPU cannot pin, and of file systems without exact times.
pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::UserWarning")]


def started(out: Path, *step: int) -> subprocess.Popen[bytes]:
    paths = os.pathsep.join([str(REPOSITORY), str(Path(run_fit.__file__).parent)])
    command = [sys.executable, run_fit.__file__, str(out), *map(str, step)]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": paths}, stdout=quiet, stderr=quiet)


def epochs(out: Path) -> list[dict[str, float]]:
    """What the log has of each epoch, but for how long it took."""
    log = json.loads((out / "history.json").read_text("utf-8"))["log"]
    kept = [
        {name: value for name, value in row.items() if "_runtime" not in name and "_per_" not in name} for row in log
    ]
    return kept[:-1]  # the last row is about the whole process


def test_a_run_that_was_killed_ends_with_the_same_weights_and_metrics(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    beside = started(whole)
    # First in the first epoch, when there is nothing to go on with, then in the middle of the third.
    for step in (2, 2 * run_fit.STEPS + 3):
        assert started(killed, step).wait(120) == -signal.SIGKILL
        assert not (killed / "history.json").exists()
    assert len(list((killed / "checkpoints").iterdir())) == 2
    assert started(killed).wait(120) == 0
    assert beside.wait(120) == 0
    # It went on behind the second epoch instead of beginning anew.
    assert [int((out / "steps").read_text("utf-8")) for out in (killed, whole)] == [
        2 * run_fit.STEPS,
        4 * run_fit.STEPS,
    ]
    assert epochs(killed) == epochs(whole)
    assert [row["epoch"] for row in epochs(whole) if "eval_loss" in row] == [1.0, 2.0, 3.0, 4.0]
    ours, theirs = (torch.load(out / "weights.pt") for out in (killed, whole))
    assert list(ours) == list(theirs)
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []


def scripted(*scores: float) -> Callable[[Any], dict[str, float]]:
    """A measure that gives these scores, whatever was learnt."""
    left: Iterator[float] = iter(scores)
    return lambda seen: {"dev_score": next(left)}


def scores(history: dict[str, Any]) -> list[float]:
    return [row["eval_dev_score"] for row in history["log"] if "eval_dev_score" in row]


def test_the_best_epoch_is_kept(tmp_path: Path) -> None:
    model = run_fit.network()
    history = run_fit.train(model, tmp_path, measure=scripted(0.2, 0.9, 0.4, 0.6))
    assert scores(history) == [0.2, 0.9, 0.4, 0.6]
    assert history["best"] == 0.9
    kept = {path.name: load_file(path / "model.safetensors") for path in (tmp_path / "checkpoints").iterdir()}
    # Two stay: the best and the last; three steps of the optimiser make an epoch.
    assert set(kept) == {"checkpoint-6", "checkpoint-12"}
    now = model.state_dict()
    assert all(torch.equal(now[name], weights) for name, weights in kept["checkpoint-6"].items())
    assert any(not torch.equal(now[name], weights) for name, weights in kept["checkpoint-12"].items())


def test_the_last_epoch_is_kept_where_the_schedule_says_so(tmp_path: Path) -> None:
    model, again = run_fit.network(), run_fit.network()
    schedule = replace(run_fit.SCHEDULE, best=False, patience=1)
    history = run_fit.train(model, tmp_path, schedule, scripted(0.2, 0.9, 0.4, 0.3))
    assert scores(history) == [0.2, 0.9, 0.4, 0.3]
    now = model.state_dict()
    last = load_file(tmp_path / "checkpoints" / "checkpoint-12" / "model.safetensors")
    assert all(torch.equal(now[name], weights) for name, weights in last.items())
    run_fit.train(again, tmp_path, schedule, scripted())
    assert all(torch.equal(now[name], weights) for name, weights in again.state_dict().items())


def test_it_ends_when_nothing_has_got_better_for_so_long(tmp_path: Path) -> None:
    schedule = replace(run_fit.SCHEDULE, epochs=9, patience=2)
    history = run_fit.train(run_fit.network(), tmp_path, schedule, scripted(0.5, 0.4, 0.6, 0.6, 0.5))
    assert scores(history) == [0.5, 0.4, 0.6, 0.6, 0.5]
    assert history["best"] == 0.6


def test_the_history_says_how_it_was_trained(tmp_path: Path) -> None:
    history = run_fit.train(run_fit.network(), tmp_path, measure=scripted(0.1, 0.2, 0.3, 0.4))
    assert json.loads((tmp_path / "history.json").read_text("utf-8")) == history
    assert history["schedule"] == {
        "epochs": 4, "batch": 8, "accumulate": 2, "rate": 3e-3, "decay": 0.01, "patience": 4, "seed": 7,
        "metric": "dev_score", "best": True, "half": True,
    }  # fmt: skip
    assert history["arithmetic"] == precision.name(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    # It rises for a tenth of the twelve steps, rounded up to two, and falls to zero in a straight line.
    rates = [row["learning_rate"] for row in history["log"] if "learning_rate" in row]
    assert rates == pytest.approx([3e-3 * (12 - step) / 10 for step in (2, 5, 8, 11)])


def test_the_seed_decides_what_is_drawn(tmp_path: Path) -> None:
    def trained(name: str, seed: int) -> dict[str, Any]:
        model = run_fit.network()
        run_fit.train(model, tmp_path / name, replace(run_fit.SCHEDULE, epochs=1, seed=seed), scripted(0.1))
        return dict(model.state_dict())

    first, same, other = trained("a", 7), trained("b", 7), trained("c", 8)
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_a_run_that_had_come_to_its_end_gives_the_same_again(tmp_path: Path) -> None:
    # Killed when all epochs were done and only what follows was not: the best epoch is read again.
    first, again = run_fit.network(), run_fit.network()
    run_fit.train(first, tmp_path, measure=scripted(0.2, 0.9, 0.4, 0.6))
    history = run_fit.train(again, tmp_path, measure=scripted())
    assert scores(history) == [0.2, 0.9, 0.4, 0.6]
    ours, theirs = first.state_dict(), again.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_run_that_patience_has_ended_does_not_go_on(tmp_path: Path) -> None:
    schedule = replace(run_fit.SCHEDULE, epochs=9, patience=2)
    first, again = run_fit.network(), run_fit.network()
    run_fit.train(first, tmp_path, schedule, scripted(0.5, 0.7, 0.6, 0.6))
    there = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    history = run_fit.train(again, tmp_path, schedule, scripted())
    assert scores(history) == [0.5, 0.7, 0.6, 0.6]
    assert history["best"] == 0.7
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == there
    ours, theirs = first.state_dict(), again.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_checkpoint_that_was_cut_off_does_not_count(tmp_path: Path) -> None:
    whole, cut = run_fit.network(), run_fit.network()
    run_fit.train(whole, tmp_path / "whole", measure=scripted(0.1, 0.2, 0.3, 0.4))
    run_fit.train(run_fit.network(), tmp_path / "cut", measure=scripted(0.1, 0.2, 0.3, 0.4))
    (tmp_path / "cut" / "checkpoints" / "checkpoint-12" / "trainer_state.json").unlink()  # written last
    history = run_fit.train(cut, tmp_path / "cut", measure=scripted(0.4))
    assert scores(history) == [0.1, 0.2, 0.3, 0.4]
    ours, theirs = cut.state_dict(), whole.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_patience_is_not_given_anew_to_a_run_that_was_killed(tmp_path: Path) -> None:
    schedule = replace(run_fit.SCHEDULE, epochs=8, patience=2)
    # The measure gives out in the third epoch: the run dies there.
    with pytest.raises(StopIteration):
        run_fit.train(run_fit.network(), tmp_path, schedule, scripted(0.9, 0.8))
    history = run_fit.train(run_fit.network(), tmp_path, schedule, scripted(0.7, 0.6, 0.5))
    assert scores(history) == [0.9, 0.8, 0.7]
