"""A long recording in bounded memory: nothing that a picture shows is lost, and the energy is that of all readings."""

from __future__ import annotations

import pytest

from appliance.device.recording import Reading, Recording
from appliance.device.thinned import Thinned


def test_a_short_recording_is_kept_as_it_is() -> None:
    readings = tuple(Reading(at / 5, 5.0 + at, {}, None) for at in range(8))
    thinned = Thinned(8)
    for reading in readings:
        thinned.add(reading)
    assert thinned.kept == readings


def test_a_long_one_takes_no_more_room_and_keeps_its_peak_its_gap_and_its_energy() -> None:
    def watts(at: int) -> float | None:
        return 40.0 if at == 3333 else None if at == 7000 else 5.0 + at % 3

    readings = tuple(Reading(at / 5, watts(at), {}, 50.0) for at in range(10_000))
    thinned = Thinned(64)
    for reading in readings:
        thinned.add(reading)
        assert len(thinned.kept) <= 64
    whole = Recording("", readings)
    assert max(reading.watts or 0.0 for reading in thinned.kept) == 40.0
    assert [reading.seconds for reading in thinned.kept if reading.watts is None] == [1400.0]
    assert thinned.covered_s == pytest.approx(whole.covered_s)
    assert thinned.mean_w == pytest.approx(whole.joules / whole.covered_s)
    times = [reading.seconds for reading in thinned.kept]
    assert times == sorted(times)
    assert max(later - sooner for sooner, later in zip(times, times[1:], strict=False)) <= thinned.gap_s


def test_without_power_there_is_no_mean() -> None:
    thinned = Thinned()
    thinned.add(Reading(0.0, None, {}, 50.0))
    assert not thinned.powered
    assert thinned.mean_w is None
    for most in (7, 10):
        with pytest.raises(ValueError, match="room for 8, 12, 16"):
            Thinned(most)


def test_hours_are_kept_evenly_and_a_silence_among_them_is_not_joined() -> None:
    hour = 5 * 3600
    thinned = Thinned(512)
    for at in range(4 * hour):
        seconds = at / 5 + (600 if at >= 2 * hour else 0)  # ten minutes in which nothing was read
        thinned.add(Reading(seconds, 5.0 + at % 7, {}, None))
    kept = [reading.seconds for reading in thinned.kept]
    quarters = [sum(begin <= at < begin + 3600 for at in kept) for begin in (0, 3600, 7800, 11400)]
    assert min(quarters) > 0.8 * max(quarters)
    assert sum(quarters) > 200
    holes = [later - sooner for sooner, later in zip(kept, kept[1:], strict=False)]
    assert [hole > thinned.gap_s for hole in holes].count(True) == 1
    assert max(holes) >= 600
    assert thinned.gap_s < 300


def test_power_that_never_changes_is_kept_from_its_beginning_to_its_end() -> None:
    thinned = Thinned(8)
    for at in range(1000):
        thinned.add(Reading(at / 5, 5.0, {}, None))
        assert len(thinned.kept) <= 8
    assert (thinned.kept[0].seconds, thinned.kept[-1].seconds) == (0.0, 199.8)
