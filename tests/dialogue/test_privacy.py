"""What is hidden of a text before it is logged."""

from __future__ import annotations

import gc
import re

import pytest

from appliance.dialogue.privacy import of_slots, scrub
from appliance.dialogue.tracker import PRIVATE, Filled


@pytest.mark.parametrize(
    "text, secrets, hidden",
    [
        ("call zhang wei", {"Zhang Wei": "[person]"}, "call [person]"),
        ("我叫ZHANG WEI吗", {"Zhang Wei": "[person]"}, "我叫[person]吗"),
        ("facility_location", {"Li": "[person]"}, "facility_location"),
        ("Lily and li", {"Li": "[person]"}, "[person]ly and [person]"),
        ("a+b (c)", {"(C)": "[x]", "A+B": "[y]"}, "[y] [x]"),
        # Overlapping secrets leave nothing of either, and touching ones stay two.
        ("0123456789", {"01234": "[a]", "3456": "[b]"}, "[a]789"),
        ("01234567", {"0123": "[a]", "4567": "[b]"}, "[a][b]"),
        ("the person", {"person": "[person]", "the person": "[person]"}, "[person]"),
        ("same", {"": "[x]"}, "same"),
        ("İ am zhang, ZHANG_wei, xzhang", {"Zhang": "[p]"}, "İ am [p], ZHANG_wei, xzhang"),
        ("zhangzhang Zhang", {"Zhang": "[p]"}, "zhangzhang [p]"),
        ("aaaa", {"aa": "[x]"}, "[x][x]"),
    ],
)
def test_scrub(text, secrets, hidden):
    assert scrub({"k": [text, 1, None]}, secrets) == {"k": [hidden, 1, None]}


def test_what_is_hidden_is_kept_in_no_cache():
    """`re` keeps the last 512 expressions: a name that was made one would stay long after its customer."""
    scrub({"k": "my name is zhuge kongming"}, {"Zhuge Kongming": "[person]"})
    kept = [thing.pattern for thing in gc.get_objects() if isinstance(thing, re.Pattern)]
    kept += [str(key) for cache in (re._cache, getattr(re, "_cache2", {})) for key in cache]
    assert kept
    assert not any("kongming" in str(pattern).lower() for pattern in kept)


def test_the_value_of_a_private_option_is_not_the_customers():
    said = "yes, it is me, zhang wei"
    assert of_slots([Filled("yes", "yes_no", said, {PRIVATE: "person"})]) == {said: "[person]"}
    assert of_slots([Filled("zhang", "text", "zhang", {PRIVATE: "person"})]) == {"zhang": "[person]"}
    assert of_slots([Filled("milk", "text", "milk")]) == {}
