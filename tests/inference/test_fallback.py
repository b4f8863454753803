from __future__ import annotations

import pytest
from tiny_networks import AFFINE, PAIR, Heard, file

from appliance.inference.backend import Backend, WrongState
from appliance.inference.fake import Drill, FakeBackend
from appliance.inference.fallback import Candidate, Selection, select
from appliance.inference.onnxruntime import OnnxRuntimeBackend


def fake(name: str, drill: Drill = Drill.NONE, made: list[Backend] | None = None) -> Candidate:
    def make() -> Backend:
        backend = FakeBackend(AFFINE, drill=drill)
        if made is not None:
            made.append(backend)
        return backend

    return Candidate(name, make)


def test_the_first_that_works_serves_and_the_rest_are_not_made() -> None:
    made: list[Backend] = []
    selection = select(AFFINE, [fake("best", made=made), fake("next", made=made)])
    assert len(made) == 1
    assert selection.backend is made[0]
    assert not selection.fallback
    assert [attempt.name for attempt in selection.attempts] == ["best"]
    assert selection.reason.startswith("best loaded in ")
    assert made[0].describe().runs == 1  # the warm-up


@pytest.mark.parametrize(
    "drill, said",
    [
        (Drill.LOAD, "drill `load`"),
        (Drill.INFER, "drill `infer`"),
        (Drill.NAN, "3 of 3 values not finite"),
        (Drill.SHAPE, "expected output y"),
    ],
)
def test_each_way_to_fail_goes_to_the_next_with_its_reason_and_is_closed(drill: Drill, said: str) -> None:
    made: list[Backend] = []
    selection = select(AFFINE, [fake("best", drill, made), fake("next", made=made)])
    assert selection.backend is made[1]
    assert selection.fallback
    assert [(attempt.name, attempt.ok) for attempt in selection.attempts] == [("best", False), ("next", True)]
    assert said in selection.attempts[0].reason
    assert "appliance check" in selection.attempts[0].reason or drill is Drill.SHAPE
    assert f"best refused: {selection.attempts[0].reason}" in selection.reason
    with pytest.raises(WrongState, match="got one closed"):
        made[0].infer(AFFINE.zeros())


def test_times_are_kept_as_far_as_it_came() -> None:
    failed_load, failed_run, good = (
        select(AFFINE, [fake("one", drill)]).attempts[0] for drill in (Drill.LOAD, Drill.INFER, Drill.NONE)
    )
    assert (failed_load.load_ms, failed_load.warm_ms) == (0.0, 0.0)
    assert failed_run.load_ms > 0
    assert failed_run.warm_ms == 0.0
    assert good.load_ms > 0
    assert good.warm_ms > 0


def test_nothing_works() -> None:
    selection = select(AFFINE, [fake("a", Drill.LOAD), fake("b", Drill.NAN)])
    assert selection.backend is None
    assert not selection.fallback
    assert selection.reason.startswith("no backend serves affine: a refused: ")
    assert "; b refused: " in selection.reason


def test_no_candidates() -> None:
    assert select(AFFINE, []) == Selection(AFFINE, None, ())
    assert select(AFFINE, []).reason == "no backend serves affine: no candidate was given"


def test_a_constructor_that_raises_anything_is_only_one_candidate() -> None:
    def make() -> Backend:
        raise ZeroDivisionError("no such board")

    selection = select(AFFINE, [Candidate("odd", make), fake("next")])
    assert selection.attempts[0].reason == "ZeroDivisionError: no such board"
    assert selection.backend is not None


def test_a_failing_close_does_not_hide_the_reason() -> None:
    class Sticky(FakeBackend):
        def _close(self) -> None:
            raise RuntimeError("stuck")

    selection = select(AFFINE, [Candidate("sticky", lambda: Sticky(AFFINE, drill=Drill.INFER))])
    assert "drill `infer`" in selection.attempts[0].reason


def test_the_wrong_file_is_refused_and_a_real_backend_follows() -> None:
    wrong = Candidate("wrong", lambda: OnnxRuntimeBackend(AFFINE, file(PAIR)))
    right = Candidate("right", lambda: OnnxRuntimeBackend(AFFINE, file(AFFINE)))
    selection = select(AFFINE, [wrong, right])
    assert selection.backend is not None
    assert "the file has amount float32" in selection.reason
    selection.backend.close()


def test_the_listener_hears_every_attempt_and_the_choice() -> None:
    heard = Heard()
    selection = select(AFFINE, [fake("best", Drill.LOAD), fake("next")], listener=heard)
    attempts = heard.all("backend_attempt")
    assert [(a["model"], a["backend"], a["ok"]) for a in attempts] == [
        ("affine", "best", False),
        ("affine", "next", True),
    ]
    assert heard.all("backend_selected") == [{"model": "affine", "backend": "next", "reason": selection.reason}]
    select(AFFINE, [], listener=heard)
    assert heard.all("backend_selected")[-1]["backend"] == "none"
