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
    with pytest.raises(ValueError, match="at least 8"):
        Thinned(7)
