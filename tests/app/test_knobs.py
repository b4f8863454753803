"""Each knob sets what its room keeps, goes back to what was set, and names what it skips."""

from __future__ import annotations

from appliance.app import knobs
from appliance.device.ladder import HOT, RUNGS, Rung
from appliance.inference.admission import Admission


def test_the_detector_sees_the_rungs_share_of_its_pixels() -> None:
    seen: list[float] = []
    knob = knobs.detector(seen.append)
    assert [knob.turn(rung) for rung in RUNGS][-1] == "25% of the pixels"
    assert seen == [rung.pixels for rung in RUNGS]
    assert "skipped" in knobs.detector(None).turn(RUNGS[2])


def test_concurrency_is_never_more_than_what_was_set() -> None:
    images, recordings = Admission(1, "image"), Admission(4, "audio")
    knob = knobs.concurrency(images, recordings)
    knob.turn(RUNGS[2])
    assert (images.counters.capacity, recordings.counters.capacity) == (1, 4)
    knob.turn(RUNGS[4])
    assert (images.counters.capacity, recordings.counters.capacity) == (1, 1)
    assert knob.turn(RUNGS[0]) == "1 photos and 4 recordings at once"
    assert (images.counters.capacity, recordings.counters.capacity) == (1, 4)


def test_lighter_variants_are_asked_for_and_what_has_none_is_named() -> None:
    asked: list[bool] = []

    def lighten(light: bool) -> dict[str, str]:
        asked.append(light)
        return {"detector": "没有更轻的版本 / there is no lighter variant"}

    for knob in (knobs.precision(lighten), knobs.recogniser(lighten)):
        assert knob.slow, "loading takes seconds"
        assert knob.turn(RUNGS[1]).endswith("skipped detector: there is no lighter variant")
        assert knob.turn(RUNGS[0]) == "as set"
    assert asked == [True, False, True, False]
    assert "skipped" in knobs.recogniser(None).turn(RUNGS[1])


def test_a_camera_has_its_rate_set_and_rests_while_it_is_too_hot() -> None:
    class Camera:
        rate = 5.0

    found = Camera()
    knob = knobs.camera(found)
    knob.turn(Rung(camera=0.5))
    assert found.rate == 2.5
    knob.turn(HOT)
    assert found.rate == 0.0
    knob.turn(RUNGS[0])
    assert found.rate == 5.0
    assert "skipped" in knobs.camera(None).turn(RUNGS[1])
