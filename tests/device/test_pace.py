"""The gate before heavy work: waits for room, keeps the order, refuses politely, and lets all pass without a meter."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress

import pytest

from appliance.device.allowance import Allowance
from appliance.device.pace import PATIENCE_S, Pace
from appliance.device.trace import Span
from appliance.errors import Overloaded


class Fake:
    """A fake meter on a fake clock: REST watts up to now, unless told otherwise."""

    def __init__(self, budget_w: float = 15.0) -> None:
        self.now = 0.0
        self.watts = 5.0
        self.spans: list[Span] = []
        self.measured = True
        self.events: list[tuple[str, dict[str, object]]] = []
        self.allowance = Allowance(budget_w)
        self.pace = Pace(
            self.allowance,
            self.between,
            lambda: self.measured,
            listener=lambda event, /, **fields: self.events.append((event, fields)),
            clock=lambda: self.now,
        )

    def between(self, begin: float, end: float) -> Sequence[Span]:
        return [span for span in self.spans if span.end > begin]

    def pass_s(self, seconds: float) -> None:
        for _ in range(round(seconds * 5)):
            self.spans.append(Span(self.now, self.now + 0.2, self.watts, self.watts))
            self.now = round(self.now + 0.2, 6)


def test_where_there_is_room_work_begins_at_once() -> None:
    fake = Fake()
    fake.pass_s(2)
    with fake.pace.enter("image"):
        assert fake.pace.account.running == 1
    account = fake.pace.account
    assert (account.running, account.waiting, account.refused, account.waited_s) == (0, 0, 0, 0.0)
    assert account.rest_w == pytest.approx(5.0)


def test_without_a_meter_all_pass() -> None:
    fake = Fake(budget_w=0.5)
    fake.measured = False
    with fake.pace.enter("image"), fake.pace.enter("image"):
        assert fake.pace.account.running == 0


def test_who_would_wait_too_long_is_told_when_to_come_again() -> None:
    fake = Fake()
    fake.pass_s(2)
    fake.pace.limit(0.0, 4)  # heat takes all room
    with pytest.raises(Overloaded) as refused, fake.pace.enter("image"):
        pass
    assert refused.value.wait_s is not None
    assert refused.value.wait_s > PATIENCE_S
    assert "功率预算" in refused.value.remedy
    assert fake.events == [("shed", {"name": "power", "retry_after": refused.value.retry_after})]
    assert fake.pace.account.refused == 1
    assert fake.pace.waited_s >= PATIENCE_S, "what was refused counts as waiting, or nothing would step down"
    fake.pass_s(30)
    assert fake.pace.waited_s == 0.0


def test_nobody_waits_beyond_the_deadline() -> None:
    fake = Fake()
    fake.pass_s(2)
    fake.pace.account  # noqa: B018 - it reads the meter
    work = fake.allowance.begin("image", fake.now)
    fake.watts = 30.0
    fake.pass_s(2)
    fake.allowance.end(work, fake.now)
    fake.watts = 5.0
    fake.pass_s(0.4)
    fake.pace.account  # noqa: B018 - it reads the meter
    assert 1 < fake.allowance.wait_s("image", fake.now) < PATIENCE_S
    with pytest.raises(Overloaded), fake.pace.enter("image", deadline=fake.now + 1.0):
        pass


def test_work_that_fails_ends_like_any_other() -> None:
    fake = Fake()
    fake.pass_s(2)
    with pytest.raises(ZeroDivisionError), fake.pace.enter("image"):
        raise ZeroDivisionError
    assert fake.pace.account.running == 0


def test_what_is_broken_off_does_not_teach_that_its_kind_is_cheap() -> None:
    fake = Fake()
    fake.pass_s(2)
    assert fake.pace.account.rest_w == pytest.approx(5.0)
    unknown = fake.allowance.cost("image")

    def break_off() -> None:
        with suppress(OSError), fake.pace.enter("image"):
            fake.pass_s(0.2)
            raise OSError("no photo")
        fake.pass_s(1)

    break_off()
    assert fake.allowance.cost("image") == unknown, "nothing is known of photos yet"
    with fake.pace.enter("image"):
        fake.watts = 13.0
        fake.pass_s(2)
    fake.watts = 5.0
    fake.pass_s(4)
    assert fake.pace.account.running == 0
    learnt = fake.allowance.cost("image").joules
    assert learnt == pytest.approx(16.0, abs=1.0)
    for _ in range(30):
        break_off()
    assert fake.allowance.cost("image").joules == learnt


def test_first_come_first_served_on_the_real_clock() -> None:
    began = time.monotonic()
    allowance = Allowance(15.0)
    full = [True]

    def spans(begin: float, end: float) -> Sequence[Span]:
        return [Span(begin, end, 5.0, 5.0)] if end > begin else []

    pace = Pace(allowance, spans, lambda: True)
    while allowance.rest_w == 0:
        pace.account  # noqa: B018 - it reads the meter
        assert time.monotonic() - began < 10
    pace.limit(0.0, 0)
    allowance.wait_s = lambda kind, now, size=1.0: 0.5 if full[0] else 0.0  # type: ignore[method-assign]
    order: list[str] = []

    def work(kind: str) -> None:
        with pace.enter(kind):
            order.append(kind)

    first = threading.Thread(target=work, args=("image",))
    first.start()
    while pace.account.waiting < 1:
        assert time.monotonic() - began < 10
    second = threading.Thread(target=work, args=("audio",))
    second.start()
    while pace.account.waiting < 2:
        assert time.monotonic() - began < 10
    assert not order
    pace.limit(1.0, 0)
    first.join(10)
    second.join(10)
    assert order == ["image", "audio"]
