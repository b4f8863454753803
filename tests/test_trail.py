"""An error's trail leads to its place and repeats nothing of what was said."""

from __future__ import annotations

import pytest

from appliance.errors import BackendFailed
from appliance.trail import LONGEST, trail, unworded

PHONE = "13812345678"


def fails(text: str) -> None:
    try:
        {}[text]
    except KeyError as error:
        raise BackendFailed(f"expected a word, got {text}") from error


def deep(left: int) -> None:
    if not left:
        raise ValueError(PHONE)
    deep(left - 1)


def test_types_and_frames_of_an_error_and_of_its_cause() -> None:
    with pytest.raises(BackendFailed) as caught:
        fails(PHONE)
    first, second = trail(caught.value).split("\nfrom ")
    assert first.startswith("appliance.errors.models.BackendFailed\n")
    assert second.startswith("KeyError\n")
    for part in (first, second):
        file, _, name = part.splitlines()[-1].rpartition(" ")
        assert name == "fails"
        assert file.strip().rpartition(":")[0] == __file__
        assert file.rpartition(":")[2].isdigit()
    assert PHONE not in first + second


def test_what_was_handled_when_it_was_raised_is_in_it_unless_it_was_dropped() -> None:
    def raised(*, dropped: bool) -> str:
        try:
            try:
                int(PHONE + "x")
            except ValueError:
                if dropped:
                    raise TypeError(PHONE) from None
                raise TypeError(PHONE)  # noqa: B904 - the implicit context is what is tested
        except TypeError as error:
            return trail(error)

    assert "\nfrom ValueError" in raised(dropped=False)
    assert "ValueError" not in raised(dropped=True)
    assert PHONE not in raised(dropped=False)


def test_a_deep_recursion_is_cut_and_a_circle_ends() -> None:
    with pytest.raises(ValueError, match=PHONE) as caught:
        deep(2 * LONGEST)
    lines = trail(caught.value).splitlines()
    assert len(lines) == LONGEST + 2
    assert lines[1].startswith("  (")
    one, other = ValueError(PHONE), KeyError(PHONE)
    one.__cause__, other.__cause__ = other, one
    assert trail(one) == "ValueError\nfrom KeyError"


def test_words_of_an_error_are_taken_out_of_a_text() -> None:
    with pytest.raises(BackendFailed) as caught:
        fails(PHONE)
    said = unworded(f"stopped by {caught.value!r}, that is {caught.value}, by {caught.value.__cause__!r}", caught.value)
    name = "appliance.errors.models.BackendFailed"
    assert said == f"stopped by {name}, that is {name}, by KeyError"
    assert unworded("nothing happened", None) == "nothing happened"
    assert unworded("nothing was said", ValueError()) == "nothing was said"
