"""The PIN's hash: what is kept of it, and what it takes to match."""

from __future__ import annotations

import re

import pytest

from appliance.channels.technician.pin import hashed, matches
from appliance.errors import InvalidInput
from appliance.settings import PIN_HASH, load_settings

PIN = "493817"


def test_a_hash_matches_its_pin_and_no_other_and_does_not_hold_it() -> None:
    kept = hashed(PIN)
    assert matches(PIN, kept)
    for other in ("493818", "4938170", "49381", "", "394817"):
        assert not matches(other, kept)
    assert PIN not in kept
    assert re.fullmatch(PIN_HASH, kept)


def test_the_same_pin_has_another_hash_every_time() -> None:
    assert hashed(PIN) != hashed(PIN)
    assert hashed(PIN, salt=bytes(16)) == hashed(PIN, salt=bytes(16))


def test_the_settings_take_the_hash_and_nothing_else() -> None:
    kept = hashed(PIN)
    assert load_settings(environ={"APPLIANCE_SERVICE_PIN": kept}).service_pin == kept


@pytest.mark.parametrize("pin", ["12345", "1234567890123", "", "49381a", "４９３８１７", "4938 17", "493817\n"])
def test_what_is_no_pin_is_refused_without_being_repeated(pin: str) -> None:
    with pytest.raises(InvalidInput, match="6 to 12 digits") as caught:
        hashed(pin)
    assert not pin or pin not in caught.value.account


@pytest.mark.parametrize("pin", ["000000", "123456", "987654", "7777777", "246802", "890123"])
def test_what_anybody_would_try_is_refused(pin: str) -> None:
    with pytest.raises(InvalidInput, match="nobody guesses"):
        hashed(pin)
