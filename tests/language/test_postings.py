"""An inverted index gives back what was put in, in few arrays."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from appliance.language.postings import Gathering

BAGS = st.lists(st.dictionaries(st.text("abcdef", max_size=2), st.integers(1, 9), max_size=6), max_size=8)


@given(BAGS)
def test_what_was_gathered_is_found_by_its_feature(bags: list[dict[str, int]]) -> None:
    gathered = Gathering()
    for bag in bags:
        gathered.add(bag)
    assert gathered.texts == len(bags)
    _, _, amounts = gathered.columns()
    index = gathered.packed(amounts * 2.0)
    names = {name for bag in bags for name in bag}
    for name in names:
        number = index.number(name)
        assert number is not None
        owners, values = index.of(number)
        assert (owners.dtype, values.dtype) == (np.dtype(np.int32), np.dtype(np.float32))
        wanted = {text: 2.0 * bag[name] for text, bag in enumerate(bags) if name in bag}
        assert dict(zip(owners.tolist(), values.tolist(), strict=True)) == wanted
        assert owners.tolist() == sorted(wanted)
        assert int(gathered.having()[number]) == len(wanted)
    assert index.number("never") is None
    assert sum(len(owners) for owners, _ in index) == sum(map(len, bags))


def test_nothing_gathered_is_an_empty_index() -> None:
    gathered = Gathering()
    features, owners, amounts = gathered.columns()
    assert len(features) == len(owners) == len(amounts) == 0
    index = gathered.packed(np.empty(0))
    assert list(index) == []
    assert index.number("a") is None
