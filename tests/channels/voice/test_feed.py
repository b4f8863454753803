"""Events reach everybody who listens, and a slow listener costs nobody anything."""

from __future__ import annotations

from appliance.channels.voice.feed import PENDING, Event, Feed


def test_everybody_hears_what_happens_from_then_on() -> None:
    feed = Feed()
    feed.tell("partial", text="before")
    with feed.listening(lambda: Event("state", {"phase": "idle"})) as one, feed.listening() as other:
        assert feed.listeners == 2
        feed.tell("partial", text="洗衣液")
        assert one.get(1) == Event("state", {"phase": "idle"})
        assert one.get(1) == other.get(1) == Event("partial", {"text": "洗衣液"})
        assert one.get(0) is None
    assert feed.listeners == 0


def test_only_the_latest_of_several_partials_and_levels_waits() -> None:
    feed = Feed()
    with feed.listening() as queue:
        feed.tell("level", peak=0.1)
        feed.tell("level", peak=0.2)
        feed.tell("partial", text="洗")
        feed.tell("partial", text="洗衣液")
        feed.tell("reply", n=1)
        feed.tell("reply", n=2)
        assert [queue.get(0) for _ in range(5)] == [
            Event("level", {"peak": 0.2}),
            Event("partial", {"text": "洗衣液"}),
            Event("reply", {"n": 1}),
            Event("reply", {"n": 2}),
            None,
        ]


def test_a_listener_that_does_not_fetch_keeps_the_newest() -> None:
    feed = Feed()
    with feed.listening() as queue:
        for number in range(PENDING + 10):
            feed.tell("reply", n=number)
        assert queue.get(0) == Event("reply", {"n": 10})
