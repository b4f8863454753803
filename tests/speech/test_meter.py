"""Levels in dB of full scale, and stillness."""

from __future__ import annotations

import numpy as np
import pytest

from appliance.speech.meter import FLOOR_DB, Meter, decibels
from tests.speech.sounds import tone

RATE = 48_000


def metered(samples: np.ndarray, step: int = 480) -> Meter:
    meter = Meter(RATE)
    for first in range(0, len(samples), step):
        meter.add(samples[first : first + step].astype(np.float32))
    return meter


def test_decibels() -> None:
    assert decibels(1.0) == 0
    assert decibels(0.1) == pytest.approx(-20)
    assert decibels(0.0) == decibels(1e-9) == FLOOR_DB


@pytest.mark.parametrize("step", [480, 4800, 33])
def test_a_sine(step: int) -> None:
    meter = metered(tone(RATE, 1.5, level=0.5), step)
    assert meter.peak_db == pytest.approx(decibels(0.5), abs=0.01)
    assert meter.level_db == pytest.approx(decibels(0.5 / np.sqrt(2)), abs=0.1)
    assert meter.still_s == 0


def test_a_click_is_held_in_the_peak_and_then_forgotten() -> None:
    click = np.zeros(RATE // 10)
    click[7] = -1.0
    for silence, peak_db in ((0.3, 0.0), (2.0, FLOOR_DB)):
        assert metered(np.concatenate([click, np.zeros(round(silence * RATE))])).peak_db == peak_db


def test_silence_after_sound_lets_the_level_fall() -> None:
    loud = metered(tone(RATE, 1))
    loud.add(np.zeros(RATE // 2, np.float32))
    assert loud.level_db < -20
    assert metered(np.zeros(RATE)).level_db == FLOOR_DB


@pytest.mark.parametrize("offset", [0.0, 0.25])
def test_a_muted_converter_is_still_around_any_offset(offset: float) -> None:
    flicker = np.random.default_rng(3).integers(-1, 2, 2 * RATE) / 32768
    assert metered(offset + flicker).still_s == pytest.approx(2)


def test_the_softest_microphone_is_not_still_and_a_word_ends_stillness() -> None:
    noise = 10 ** (-75 / 20) * np.random.default_rng(4).standard_normal(RATE)
    assert metered(noise).still_s < 0.1
    assert metered(np.concatenate([np.zeros(RATE), tone(RATE, 0.2), np.zeros(RATE)])).still_s == pytest.approx(
        1, abs=0.02
    )


def test_an_offset_that_jumps_between_deliveries_is_movement() -> None:
    meter = metered(np.zeros(RATE))
    meter.add(np.full(480, 0.3, np.float32))
    assert meter.still_s == 0


def test_nothing_is_no_measurement() -> None:
    meter = metered(tone(RATE, 0.5))
    before = meter.level_db, meter.peak_db
    meter.add(np.zeros(0, np.float32))
    assert (meter.level_db, meter.peak_db) == before
