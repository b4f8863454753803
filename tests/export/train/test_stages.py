"""A stage is done once for its inputs; one that was killed goes on with what it left; other inputs begin anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from export.train import stages
from export.train.stages import Stage, files_of, key_of, run


class Killed(Exception):
    """Stands for whatever ended a run in the middle."""


class Counter:
    """A step that adds one to a number in its folder and writes it down; dies after `dies` steps of the three."""

    def __init__(self, dies: int = 3) -> None:
        self.dies, self.runs = dies, 0
        self.before: Mapping[str, Path] = {}

    def __call__(self, out: Path, before: Mapping[str, Path]) -> None:
        self.runs, self.before = self.runs + 1, before
        for step in range(3):
            if self.runs == 1 and step == self.dies:
                raise Killed
            done = int((out / "steps").read_text("utf-8")) if (out / "steps").exists() else 0
            (out / "steps").write_text(str(done + 1), "utf-8")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.py").write_text("a = 1\n", "utf-8")
    (folder / "deep" / "b.py").write_text("b = 2\n", "utf-8")
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "work"


def silent(_: str) -> None:
    """Say nothing."""


def test_what_is_finished_is_not_run_again(root: Path, source: Path) -> None:
    make, said = Counter(), list[str]()
    stage = Stage("one", make, (), (source,), {"epochs": 3})
    first = run([stage], root, said.append)
    second = run([stage], root, said.append)
    assert make.runs == 1
    assert [outcome.cached for outcome in (*first, *second)] == [False, True]
    assert second[0].seconds == first[0].seconds
    assert said[0] == "[1/1] one"
    assert said[-1].startswith("[1/1] one: done before, in ")


def test_what_was_killed_goes_on_with_what_it_left(root: Path, source: Path) -> None:
    make, said = Counter(dies=2), list[str]()
    stage = Stage("one", make, (), (source,))
    with pytest.raises(Killed):
        run([stage], root, said.append)
    assert (root / "one" / "steps").read_text("utf-8") == "2"
    (outcome,) = run([stage], root, said.append)
    assert not outcome.cached
    assert (root / "one" / "steps").read_text("utf-8") == "5"  # two of the first run, three of the second
    assert said[1] == "[1/1] one: goes on"
    assert run([stage], root, silent)[0].cached


def test_what_was_killed_begins_anew_with_other_inputs(root: Path, source: Path) -> None:
    make = Counter(dies=2)
    with pytest.raises(Killed):
        run([Stage("one", make, (), (source,), {"rate": 1})], root, silent)
    run([Stage("one", make, (), (source,), {"rate": 2})], root, silent)
    assert (root / "one" / "steps").read_text("utf-8") == "3"


def test_a_run_with_other_inputs_in_between_leaves_nothing_to_go_on_with(root: Path) -> None:
    # Finished with 1, killed with 2: what lies there is neither's, and 1 is made anew.
    run([Stage("one", Counter(), (), (), {"rate": 1})], root, silent)
    with pytest.raises(Killed):
        run([Stage("one", Counter(dies=1), (), (), {"rate": 2})], root, silent)
    again = Counter()
    (outcome,) = run([Stage("one", again, (), (), {"rate": 1})], root, silent)
    assert not outcome.cached
    assert (root / "one" / "steps").read_text("utf-8") == "3"


@pytest.mark.parametrize("change", ["content", "new file", "gone file", "parameters"])
def test_changed_inputs_empty_the_folder_and_run_again(root: Path, source: Path, change: str) -> None:
    make = Counter()
    stage = Stage("one", make, (), (source,), {"epochs": 3})
    run([stage], root, silent)
    if change == "content":
        (source / "deep" / "b.py").write_text("b = 3\n", "utf-8")
    elif change == "new file":
        (source / "c.py").write_text("", "utf-8")
    elif change == "gone file":
        (source / "a.py").unlink()
    else:
        stage = replace(stage, parameters={"epochs": 4})
    (outcome,) = run([stage], root, silent)
    assert make.runs == 2
    assert not outcome.cached
    assert (root / "one" / "steps").read_text("utf-8") == "3"


def test_compiled_python_and_times_of_files_change_nothing(source: Path) -> None:
    stage = Stage("one", Counter(), (), (source,))
    before = key_of(stage, {})
    (source / "__pycache__").mkdir()
    (source / "__pycache__" / "a.pyc").write_bytes(b"compiled")
    (source / "a.py").write_text("a = 1\n", "utf-8")
    assert key_of(stage, {}) == before
    assert [path.name for path in files_of(source)] == ["a.py", "b.py"]
    assert files_of(source / "a.py") == [source / "a.py"]


def test_the_key_has_the_name_and_the_stages_before(source: Path) -> None:
    stage = Stage("one", Counter(), ("zero",), (source,), {"a": 1, "b": 2})
    keys = {
        key_of(stage, {"zero": "x"}),
        key_of(stage, {"zero": "y"}),
        key_of(replace(stage, name="two"), {"zero": "x"}),
        key_of(replace(stage, parameters={"a": 2, "b": 1}), {"zero": "x"}),
    }
    assert len(keys) == 4
    # The order of parameters says nothing.
    assert key_of(replace(stage, parameters={"b": 2, "a": 1}), {"zero": "x"}) in keys


def test_a_stage_is_run_again_when_one_before_it_has_changed(root: Path, source: Path) -> None:
    first, second, beside = Counter(), Counter(), Counter()

    def planned() -> list[Stage]:
        return [
            Stage("first", first, (), (source,)),
            Stage("beside", beside),
            Stage("second", second, ("first",)),
        ]

    run(planned(), root, silent)
    assert second.before == {"first": root / "first"}
    assert beside.before == {}
    (source / "a.py").write_text("a = 2\n", "utf-8")
    assert [(outcome.name, outcome.cached) for outcome in run(planned(), root, silent)] == [
        ("first", False),
        ("beside", True),
        ("second", False),
    ]


def test_a_stage_that_dies_keeps_those_behind_it_from_running(root: Path) -> None:
    behind, before = Counter(), Counter()
    planned = [Stage("before", before), Stage("dies", Counter(dies=0), ("before",)), Stage("behind", behind, ("dies",))]
    with pytest.raises(Killed):
        run(planned, root, silent)
    assert behind.runs == 0
    assert [outcome.cached for outcome in run(planned, root, silent)] == [True, False, False]
    assert before.runs == 1


def test_a_note_that_was_cut_off_does_not_count(root: Path) -> None:
    make = Counter()
    run([Stage("one", make)], root, silent)
    (root / "one" / stages.DONE).write_text('{"key": "', "utf-8")
    assert not run([Stage("one", make)], root, silent)[0].cached
    assert make.runs == 2
