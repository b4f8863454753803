"""Sessions: named, kept, ended, forgotten, and never mixed."""

from __future__ import annotations

import threading

import pytest
from dialogue_steps import START

from appliance.dialogue.tracker import SessionState, rebuild
from appliance.errors import InvalidInput
from appliance.values import Entity, Intent, Parse, Turn


def test_sessions_are_named_unguessably_and_kept(stage):
    name = stage.session
    assert len(name) == 24
    assert stage.dialogue.open(name) == name
    for strange in (None, "", "x", "x" * 24, "../../etc/passwd", "é" * 24, name + "\n"):
        assert stage.dialogue.open(strange) not in (name, strange)
    with pytest.raises(InvalidInput):
        stage.dialogue.respond("made up", Turn("x"), Parse(Intent("greet", 1.0)))


def test_ending_forgets_everything(stage):
    stage.play(START)
    assert stage.dialogue.end(stage.session) is True
    assert stage.dialogue.end(stage.session) is False
    assert stage.dialogue.state(stage.session) is None
    assert stage.heard.outcomes()[-1] == ("abandoned", "track_parcel")
    kinds = [event.kind for event in stage.events.read(stage.session)]
    assert kinds[-2:] == ["outcome", "ended"]
    assert stage.say("再说一遍", {"intent": "repeat"}).text.startswith("我还没有说过")


def test_idle_sessions_are_forgotten(stage):
    stage.play(START)
    other = stage.dialogue.open(None)
    stage.idle = 200.0
    assert stage.dialogue.open(other) == other
    stage.idle = 301.0
    assert stage.dialogue.open(stage.session) != stage.session
    assert stage.dialogue.state(stage.session) is None
    assert stage.dialogue.sweep() == 1
    assert stage.heard.outcomes()[-1] == ("abandoned", "track_parcel")
    assert stage.dialogue.state(other) == SessionState(language="zh")


def test_nothing_of_an_idle_session_is_carried_on(stage):
    stage.play(START)
    stage.idle = 301.0
    answer = stage.say("SF1402938475610", {"intent": "greet"})
    assert answer.flow is None
    assert stage.dialogue.state(stage.session).turns == 1


def test_the_longest_idle_session_goes_first(staged):
    stage = staged(sessions=3)
    second, third = stage.dialogue.open(None), stage.dialogue.open(None)
    stage.play(START)
    fourth = stage.dialogue.open(None)
    assert stage.dialogue.state(second) is None
    assert stage.dialogue.open_sessions == 3
    assert stage.dialogue.open(third) == third
    stage.dialogue.open(None)
    assert stage.dialogue.state(stage.session) is None
    assert stage.heard.outcomes()[-1] == ("abandoned", "track_parcel")
    assert stage.dialogue.open(fourth) == fourth


def test_turns_of_one_session_wait_for_each_other(stage):
    start = threading.Barrier(16)
    failures = []

    def work(number):
        start.wait()
        try:
            for _ in range(10):
                stage.say("帮我查快递", {"intent": "track_parcel"})
                stage.say("取消", {"intent": "cancel"})
        except Exception as error:  # noqa: BLE001 - a thread's failure must reach the test
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert stage.dialogue.state(stage.session).turns == 320
    assert rebuild(stage.events.read(stage.session)) == stage.dialogue.state(stage.session)
    assert stage.events.verify() is None


def test_sessions_do_not_mix(stage):
    def work(number):
        name = stage.dialogue.open(None)
        product = ("P1203", "拖鞋") if number % 2 else ("P1302", "电水壶")
        found = (Entity("product", product[1], product[1], 0, 2, 0.98, "gazetteer", {"keys": product[0]}),)
        for _ in range(5):
            turn = Turn(product[1] + "在哪")
            stage.dialogue.respond(
                name, turn, Parse(Intent("find_product", 1.0), found, (), turn.text, "zh", "template")
            )
            price = stage.dialogue.respond(name, Turn("多少钱"), Parse(Intent("check_price", 1.0), (), (), "多少钱"))
            seen.append((product[0], price.data.get("sku")))

    seen = []
    threads = [threading.Thread(target=work, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 160
    assert all(asked == answered for asked, answered in seen)


def test_closing_ends_what_is_open(store, staged):
    stage = staged()
    stage.play(START)
    stage.dialogue.close()
    assert stage.dialogue.open_sessions == 0
    assert stage.heard.outcomes()[-1] == ("abandoned", "track_parcel")
