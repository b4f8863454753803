"""Errors: each has a code of its own, a status, and both languages."""

from __future__ import annotations

import pytest

from appliance.errors import ERRORS, ApplianceError, InvalidInput, Overloaded


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_every_error_speaks_both_languages(code: str) -> None:
    error = ERRORS[code]("expected x, got y")
    chinese, english = error.message.split(" / ", 1)
    assert any("一" <= character <= "鿿" for character in chinese)
    assert english == "expected x, got y"
    assert " / " in error.remedy
    assert 400 <= error.status <= 503


def test_codes_are_unique_among_errors_that_reach_a_channel() -> None:
    def all_classes(cls: type[ApplianceError]) -> list[type[ApplianceError]]:
        return [cls, *(deeper for sub in cls.__subclasses__() for deeper in all_classes(sub))]

    for cls in all_classes(ApplianceError):
        assert cls.code in ERRORS
        assert cls.status == ERRORS[cls.code].status


def test_an_instance_gives_its_own_remedy_and_wait() -> None:
    error = InvalidInput("text: too long", remedy="Send less")
    assert error.remedy.endswith(" / Send less")
    assert str(error) == "text: too long"
    assert Overloaded("full", retry_after=3).retry_after == 3
