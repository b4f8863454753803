"""Power over time: integrals, means, and what is not known."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.device.trace import Energy, Span, Trace

RAMP = (Span(10.0, 11.0, 1.0, 3.0), Span(11.0, 11.5, 3.0, 5.0))


def trace(*spans: Span, most: int = 1000) -> Trace:
    kept = Trace(most)
    for span in spans:
        kept.add(span)
    return kept


def test_energy_is_the_area_under_the_power() -> None:
    kept = trace(*RAMP)
    assert kept.energy(10.0, 11.5) == Energy(4.0, 1.5, 1.5)
    assert kept.energy(10.5, 11.0).joules == pytest.approx(0.5 * 2.5)
    assert kept.energy(10.5, 11.25).joules == pytest.approx(0.5 * 2.5 + 0.25 * 3.5)
    assert kept.energy(10.25, 10.75) == Energy(1.0, 0.5, 0.5)
    assert kept.last == RAMP[1]


def test_times_without_a_reading_are_not_made_up() -> None:
    kept = trace(Span(0.0, 1.0, 4.0, 4.0), Span(3.0, 4.0, 4.0, 4.0))
    whole = kept.energy(0.0, 4.0)
    assert whole == Energy(8.0, 2.0, 4.0)
    assert not whole.complete
    assert whole.watts == 4.0
    assert whole.estimate == 16.0
    assert kept.energy(1.0, 3.0) == Energy(0.0, 0.0, 2.0)
    assert kept.energy(1.0, 3.0).watts is None
    assert kept.energy(-7.0, 1.0).watts is None, "an eighth of the time is not its mean"
    assert kept.energy(-7.0, 1.0).estimate is None
    assert kept.energy(2.5, 9.0).joules == 4.0


def test_an_empty_trace_and_an_empty_time() -> None:
    empty = trace()
    assert empty.last is None
    assert empty.energy(0.0, 1.0) == Energy(0.0, 0.0, 1.0)
    assert list(empty.spans(0.0, 1.0)) == []
    assert trace(*RAMP).energy(10.5, 10.5) == Energy(0.0, 0.0, 0.0)
    assert trace(*RAMP).energy(11.0, 10.0) == trace(*RAMP).energy(10.8, 10.2) == Energy(0.0, 0.0, 0.0)
    assert Energy(0.0, 0.0, 0.0).watts is None


def test_spans_for_a_picture_are_cut_to_fit() -> None:
    assert list(trace(*RAMP).spans(10.5, 20.0)) == [Span(10.5, 11.0, 2.0, 3.0), RAMP[1]]
    assert RAMP[0].cut(0.0, 20.0) is RAMP[0]
    assert RAMP[0].cut(11.0, 12.0) is None
    assert (RAMP[0].watts, RAMP[0].joules, RAMP[0].at(10.25)) == (2.0, 2.0, 1.5)


@pytest.mark.parametrize("span", [Span(11.4, 12.0, 1.0, 1.0), Span(12.0, 12.0, 1.0, 1.0), Span(13.0, 12.5, 1.0, 1.0)])
def test_spans_come_in_the_order_of_time(span: Span) -> None:
    with pytest.raises(ValueError, match="expected a span after"):
        trace(*RAMP).add(span)


def test_what_is_old_is_let_go_and_the_rest_stays_right() -> None:
    kept = Trace(50)
    for second in range(5000):
        kept.add(Span(float(second), second + 1.0, 2.0, 2.0))
    assert kept.energy(0.0, 5000.0) == Energy(100.0, 50.0, 5000.0)
    kept.forget(4990.5)
    assert kept.energy(0.0, 5000.0).covered_s == 10.0, "the span in which that moment lies is kept whole"
    kept.forget(6000.0)
    assert kept.last is None
    kept.add(Span(6000.0, 6001.0, 1.0, 3.0))
    assert kept.energy(0.0, 7000.0).joules == 2.0
    with pytest.raises(ValueError, match="at least 1 span"):
        Trace(0)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.01, 5), st.floats(0, 3), st.floats(-1, 60), st.floats(-1, 60)), min_size=1),
    st.lists(st.floats(-1, 50), min_size=1, max_size=6),
)
def test_parts_of_a_time_sum_up_to_it(pieces: list[tuple[float, float, float, float]], cuts: list[float]) -> None:
    kept, now = Trace(1000), 0.0
    for length, gap, first, last in pieces:
        kept.add(Span(now, now + length, first, last))
        now += length + gap
    moments = sorted({-1.0, *cuts, now + 1.0})
    parts = [kept.energy(begin, end) for begin, end in zip(moments, moments[1:], strict=False)]
    whole = kept.energy(moments[0], moments[-1])
    assert sum(part.joules for part in parts) == pytest.approx(whole.joules, abs=1e-6)
    assert sum(part.covered_s for part in parts) == pytest.approx(whole.covered_s, abs=1e-6)
    assert whole.joules == pytest.approx(sum(span.joules for span in kept.spans(-1.0, now + 1.0)), abs=1e-6)
