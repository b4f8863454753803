from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from appliance.language.candidates import CHECKSUM, CONTEXT, GUESS, LISTED, PATTERN, Candidate, resolve


def candidate(kind: str, start: int, end: int, rank: int, confidence: float = 0.9) -> Candidate:
    return Candidate(kind, start, end, kind, confidence, "pattern", rank)


def kinds(*candidates: Candidate) -> list[str]:
    return [one.type for one in resolve(candidates)]


def test_higher_rank_beats_length() -> None:
    assert kinds(candidate("name", 0, 8, LISTED), candidate("number", 4, 9, PATTERN)) == ["number"]
    assert kinds(candidate("guess", 0, 9, GUESS), candidate("name", 3, 5, LISTED)) == ["name"]
    assert kinds(candidate("pattern", 0, 13, CONTEXT), candidate("checked", 0, 13, CHECKSUM)) == ["checked"]


def test_a_pattern_inside_a_listed_name_belongs_to_the_name() -> None:
    assert kinds(candidate("product", 0, 7, LISTED), candidate("weight", 3, 7, PATTERN)) == ["product"]
    assert kinds(candidate("product", 0, 7, LISTED), candidate("tracking_no", 3, 7, CONTEXT)) == ["tracking_no"]


def test_longer_then_surer_then_earlier() -> None:
    assert kinds(candidate("short", 0, 2, LISTED), candidate("long", 0, 3, LISTED)) == ["long"]
    assert kinds(candidate("unsure", 0, 2, LISTED, 0.5), candidate("sure", 1, 3, LISTED, 0.9)) == ["sure"]
    assert kinds(candidate("later", 1, 3, LISTED), candidate("earlier", 0, 2, LISTED)) == ["earlier"]


CANDIDATES = st.lists(
    st.builds(
        lambda start, size, rank, sure, kind: candidate(kind, start, start + size, rank, sure),
        st.integers(0, 20),
        st.integers(1, 6),
        st.integers(1, 5),
        st.sampled_from([0.5, 0.7, 0.9]),
        st.sampled_from("abc"),
    ),
    max_size=10,
)


@given(CANDIDATES, st.randoms())
def test_none_overlap_and_order_does_not_matter(candidates: list[Candidate], random: object) -> None:
    kept = resolve(candidates)
    assert all(a.end <= b.start for a, b in pairwise(kept))
    shuffled = list(candidates)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert resolve(shuffled) == kept
    if candidates:
        assert kept
