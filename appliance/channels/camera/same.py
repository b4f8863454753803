"""Whether two readings are of one document: lighting and a character read otherwise make no other document of it."""

from __future__ import annotations

import re

from rapidfuzz import fuzz
from rapidfuzz.distance import Indel

LIKE = 85.0
"""Least likeness of the whole text, of 100."""
NUMBER = re.compile(r"[A-Z]{0,4}\d{8,}", re.ASCII)
"""Numbers of parcels, orders and phones: two waybills of one sender differ in little else."""


def same(text: str, other: str) -> bool:
    """True when texts are alike and each long number of the one is in the other, but for a character lost or added.

    Another digit in its place is another number: parcels of one sender are often numbered one by one.
    """
    one, two = ("".join(each.split()).upper() for each in (text, other))
    if not one or not two or fuzz.ratio(one, two) < LIKE:
        return False
    known = NUMBER.findall(two)
    return all(any(Indel.distance(number, there) <= 1 for there in known) for number in NUMBER.findall(one))
