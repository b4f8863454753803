"""The governor in the appliance: what it turns, what it refuses, what it says, and that words are always answered."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from appliance.app.appliance import Appliance
from appliance.app.board import Seen
from appliance.app.build import build
from appliance.app.govern import AGAIN_S, Governing, Knob
from appliance.device.alarms import Alarms
from appliance.device.board import Board
from appliance.device.governor import FIRST_S, REFUSED_S
from appliance.device.heat import Heat
from appliance.device.ladder import DEEPEST, RUNGS, Rung
from appliance.device.look import Look
from appliance.device.mode import Modes
from appliance.device.trace import Span
from appliance.errors import Overloaded, TooHot
from appliance.settings import Settings
from appliance.values import Feature, Turn
from tests.app.test_appliance import Heard
from tests.device.boards import orin_nano

QUIET = Alarms((), {}, (), ())
PC = Board("", "pc", "", "none", "")
NANO = Board("Orin Nano", "orin-nano", "p3767-0005", "R36.4.3", "6.2")


class FakeBoard:
    """A board that reads what the test says."""

    def __init__(self, machine: Board = NANO) -> None:
        self.machine, self.watching, self.measured = machine, True, True
        self.now = 1000.0
        self.watts: float | None = 6.0
        self.drawn = 6.0
        self.celsius: float | None = 50.0
        self.alarms = QUIET
        self.age_s = 0.0
        self.looked_at: float | None = None
        self.meter = SimpleNamespace(spans=self.spans)
        self.sensors = SimpleNamespace(zones=())

    def mean_watts(self) -> float | None:
        return self.watts

    def spans(self, begin: float, end: float) -> Sequence[Span]:
        return [Span(begin, end, self.drawn, self.drawn)] if end > begin else []

    @property
    def seen(self) -> Seen:
        heat = Heat({} if self.celsius is None else {"tj": self.celsius}, ())
        return Seen(
            Look(
                self.now if self.looked_at is None else self.looked_at,
                {},
                {},
                heat,
                None,
                {},
                Modes({}, "", "", ""),
                self.alarms,
            ),
            self.age_s,
        )


class Bench:
    """A governor over a fake board and a fake clock; nothing happens but by `pass_s`."""

    def __init__(self, settings: Settings | None = None, machine: Board = NANO) -> None:
        self.board, self.heard = FakeBoard(machine), Heard()
        self.turned: list[Rung] = []
        self.governing = Governing(
            settings or Settings(),
            self.board,  # type: ignore[arg-type]
            listener=self.heard,
            clock=lambda: self.board.now,
        )
        self.governing.join([Knob("fake", self.turn)])

    def turn(self, rung: Rung) -> str:
        self.turned.append(rung)
        return f"{rung.pixels:.0%}"

    def pass_s(self, seconds: float, **changes: Any) -> None:
        for name, value in changes.items():
            setattr(self.board, name, value)
        for _ in range(round(seconds)):
            self.board.now += 1.0
            self.governing.look()


def until(true: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def test_a_step_turns_the_knobs_and_is_told_with_its_reason() -> None:
    bench = Bench()
    bench.pass_s(5)
    assert bench.turned == []
    bench.pass_s(1, watts=16.0)
    assert bench.turned == [RUNGS[1]]
    (told,) = bench.heard.of("governor_step")
    assert (told["before"], told["after"], told["direction"], told["cause"]) == (0, 1, "down", "power")
    assert "10 秒平均功率 16.0 W" in str(told["reason"])
    state = bench.governing.state()
    assert json.loads(json.dumps(state)) == state
    assert (state["level"], state["cause"], state["downs"], state["ups"]) == (1, "power", 1, 0)
    assert state["knobs"] == {"fake": "100%"}
    assert state["steps"][0]["after"] == 1  # type: ignore[index]
    bench.pass_s(FIRST_S + 100, watts=6.0)  # the 10 W that seemed to be saved have to be forgotten in part
    assert bench.turned == [RUNGS[1], RUNGS[0]]
    assert bench.governing.state()["ups"] == 1


def test_above_the_critical_temperature_senses_are_refused_politely_until_it_has_cooled() -> None:
    bench = Bench()
    bench.pass_s(2, celsius=96.0)
    for kind in ("image", "audio", "speech"):
        with pytest.raises(TooHot) as refused:
            bench.governing.check(kind)
        assert refused.value.status == 503
        assert refused.value.wait_s == AGAIN_S
        assert refused.value.message.startswith("设备过热，正在降温 / ")
        assert "96 degrees" in refused.value.detail
    with pytest.raises(TooHot), bench.governing.enter("image"):
        pass
    for kind in ("text", "touch"):
        bench.governing.check(kind)
    bench.pass_s(REFUSED_S + 1, celsius=70.0)
    bench.governing.check("image")
    with bench.governing.enter("image"):
        pass
    assert bench.governing.level == DEEPEST


def test_one_look_of_the_board_that_is_read_twice_refuses_nobody() -> None:
    bench = Bench()
    bench.pass_s(2, celsius=96.0, looked_at=1000.5)
    bench.governing.check("image")
    assert bench.governing.level == DEEPEST
    bench.pass_s(1, looked_at=1002.5)
    with pytest.raises(TooHot):
        bench.governing.check("image")


def test_features_that_are_refused_are_off_and_say_why_and_others_are_as_they_were() -> None:
    bench = Bench()
    features = (
        Feature("language", "ready", "onnxruntime-cpu", ""),
        Feature("ocr", "fallback", "tesseract", "why"),
        Feature("asr", "off", "none", "not installed"),
        Feature("speech", "ready", "espeak", ""),
    )
    assert bench.governing.shown(features) == features
    bench.pass_s(2, celsius=96.0)
    language, ocr, asr, speech = bench.governing.shown(features)
    assert language == features[0]
    assert asr == features[2], "what is missing anyway goes on saying so"
    assert (ocr.state, ocr.backend, speech.state) == ("off", "none", "off")
    assert ocr.said("zh") == ("heat: 芯片 96 °C，正在降温；文字和触摸照常可用",)
    assert "words and touch are served" in ocr.said("en")[0]


def test_a_sensor_that_falls_silent_while_it_is_too_hot_does_not_end_the_refusal() -> None:
    bench = Bench()
    bench.pass_s(2, celsius=96.0)
    bench.pass_s(300, celsius=None)
    with pytest.raises(TooHot, match="unknown"):
        bench.governing.check("image")


def test_what_the_board_complains_of_steps_down_and_a_stale_look_says_nothing() -> None:
    bench = Bench()
    bench.pass_s(1, alarms=Alarms((), {"oc3": 4}, (), ()))
    assert bench.governing.level == 0, "events from before the start are no news"
    bench.pass_s(1, alarms=Alarms((), {"oc3": 5}, (), ()))
    assert bench.heard.of("governor_step")[0]["cause"] == "alarm"
    assert "oc3" in str(bench.heard.of("governor_step")[0]["reason"])
    stale = Bench()
    stale.pass_s(3)
    stale.pass_s(30, alarms=Alarms(("VDD_IN",), {}, ("cpu",), ()), celsius=99.0, age_s=30.0)
    assert stale.governing.level == 0


def test_a_knob_that_sticks_is_told_and_keeps_no_other_from_being_turned() -> None:
    bench = Bench()

    def stuck(rung: Rung) -> str:
        raise ZeroDivisionError

    governing = Governing(Settings(), bench.board, listener=bench.heard, clock=lambda: bench.board.now)  # type: ignore[arg-type]
    governing.join([Knob("stuck", stuck), Knob("fake", bench.turn)])
    bench.board.watts = 16.0
    governing.look()
    assert bench.turned == [RUNGS[1]]
    assert bench.heard.of("governor_knob")[0]["name"] == "stuck"
    assert "could not be turned" in governing.state()["knobs"]["stuck"]  # type: ignore[index]


def test_heat_takes_room_from_heavy_work_before_anything_is_refused() -> None:
    bench = Bench()
    bench.pass_s(20)
    assert bench.governing.state()["power"]["share"] == 1.0  # type: ignore[index]
    bench.pass_s(1, celsius=82.5)
    assert bench.governing.state()["power"]["share"] == pytest.approx(0.55)  # type: ignore[index]
    bench.pass_s(1, celsius=91.0)
    with pytest.raises(Overloaded, match="power budget"), bench.governing.enter("image"):
        pass


@pytest.mark.parametrize(
    "settings, machine, why",
    [
        (Settings(), PC, "none of NVIDIA's boards"),
        (Settings(governor="off"), NANO, "turned off"),
    ],
)
def test_where_it_is_off_it_says_why_and_everything_passes(settings: Settings, machine: Board, why: str) -> None:
    bench = Bench(settings, machine)
    bench.governing.start()
    assert why in str(bench.heard.of("governor_off")[0]["reason"])
    state = bench.governing.state()
    assert state["on"] is False
    assert state["power"] is None
    assert why in str(state["reason"])
    with bench.governing.enter("image"), bench.governing.enter("image"):
        pass
    bench.governing.close()


def test_a_machine_without_sensors_is_not_governed_even_when_that_is_asked_for() -> None:
    board = FakeBoard(PC)
    board.watching = board.measured = False
    governing = Governing(Settings(governor="on"), board)  # type: ignore[arg-type]
    assert governing.off is not None
    assert "no power or temperature sensor" in governing.off[1]


def test_a_critical_temperature_that_the_board_never_lives_to_see_is_told() -> None:
    bench = Bench(Settings(temperature_critical_c=105.0))
    bench.board.sensors = SimpleNamespace(zones=(SimpleNamespace(critical_c=104.5), SimpleNamespace(critical_c=None)))
    assert "104.5" in str(bench.governing.state()["problem"])
    assert Bench().governing.state()["problem"] == ""


def test_a_board_that_draws_more_at_rest_than_it_may_is_told() -> None:
    bench = Bench(Settings(power_budget_w=12.0))
    bench.pass_s(60)
    assert bench.governing.state()["problem"] == ""
    bench.pass_s(600, drawn=25.0)
    assert "power_budget_w: expected more than the 25.0 W" in str(bench.governing.state()["problem"])


def test_before_the_first_look_it_does_not_say_that_there_are_no_sensors() -> None:
    bench = Bench()
    assert "尚未读数" in str(bench.governing.state()["reason"])
    bench.pass_s(1)
    assert "尚未读数" not in str(bench.governing.state()["reason"])


def test_slow_knobs_are_turned_beside_the_looking_and_for_the_latest_level() -> None:
    bench = Bench()
    going, turned = threading.Event(), []

    def slowly(rung: Rung) -> str:
        turned.append(rung)
        assert going.wait(10)
        return "turned"

    bench.governing.join([Knob("slow", slowly, slow=True)])
    bench.governing.start()
    try:
        bench.pass_s(1, watts=16.0)
        until(lambda: turned)
        bench.pass_s(21)
        bench.pass_s(2, celsius=96.0)
        with pytest.raises(TooHot):
            bench.governing.check("image")
        going.set()
        until(lambda: len(turned) == 2)
        assert turned[0] == RUNGS[1]
        assert turned[1].camera == 0.0, "the levels in between are passed over"
    finally:
        going.set()
        bench.governing.close()


def test_a_look_that_fails_is_told_and_the_next_one_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.app.govern.LOOK_S", 0.01)
    bench = Bench()
    failing = [True]
    honest = bench.board.mean_watts

    def mean_watts() -> float | None:
        if failing[0]:
            raise ZeroDivisionError
        return honest()

    bench.board.mean_watts = mean_watts  # type: ignore[method-assign]
    with_threads = bench.governing
    with_threads.start()
    try:
        until(lambda: bench.heard.of("governor_failed"))
        failing[0] = False
        bench.board.watts = 16.0
        until(lambda: bench.heard.of("governor_step"))
    finally:
        with_threads.close()
    assert not {thread.name for thread in threading.enumerate()} & {"governor", "knobs"}


@pytest.fixture(scope="module")
def nano(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """A real appliance whose level the tests say."""
    settings = Settings(data_dir=str(tmp_path_factory.mktemp("data")), governor="off")
    with build(settings, senses=("asr",)) as appliance:
        yield appliance


def at_level(appliance: Appliance, level: int) -> None:
    governing = appliance._rooms.governing
    governing._level = level
    governing._turn(slow=False)


@pytest.mark.parametrize("level", range(DEEPEST + 2))
def test_words_and_touch_are_answered_at_every_level(nano: Appliance, level: int) -> None:
    appliance = nano
    at_level(appliance, level)
    answered = 0
    for turn in range(20):
        text = Turn("洗衣液在哪里" if turn % 2 else "牛奶多少钱", source="text" if turn % 3 else "tap")
        answered += bool(appliance.turn(text).answer.text)
    assert answered == 20
    assert appliance.suggest("洗衣")
    images, recordings = appliance.heavy
    rung = (*RUNGS, RUNGS[-1])[level]
    assert images.counters.capacity == (rung.images or Settings().image_jobs)
    assert recordings.counters.capacity == (rung.recordings or Settings().audio_jobs)
    at_level(appliance, 0)
    assert images.counters.capacity == Settings().image_jobs


def test_at_the_critical_temperature_of_a_real_board_photos_and_sound_are_refused_and_words_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.app.board.LOOK_S", 0.05)
    monkeypatch.setattr("appliance.app.govern.LOOK_S", 0.05)
    root = orin_nano(tmp_path / "root")
    settings = Settings(
        data_dir=str(tmp_path / "data"), device_root=str(root), required=("language", "dialogue", "ocr")
    )
    with build(settings, senses=()) as appliance:
        tj = next(
            folder / "temp"
            for folder in root.glob("sys/class/thermal/thermal_zone*")
            if (folder / "type").read_text().strip() == "tj-thermal"
        )
        assert appliance.status()["governor"]["level"] == 0  # type: ignore[index]
        tj.write_text("96000\n")
        until(lambda: appliance.status()["governor"]["refusing"])  # type: ignore[index]
        appliance._rooms = replace(appliance._rooms, reader=SimpleNamespace())  # one that nobody may come to
        for work in (
            lambda: appliance.read(b""),
            lambda: appliance.look(b""),
            lambda: appliance.hear(b""),
            lambda: appliance.transcribe(b""),
            lambda: appliance.speak("你好"),
        ):
            with pytest.raises(TooHot):
                work()
        assert appliance.turn(Turn("洗衣液在哪里")).answer.text
        assert appliance.status()["governor"]["cause"] == "critical"  # type: ignore[index]


def test_each_feature_that_is_shown_off_is_one_that_there_is() -> None:
    bench = Bench()
    bench.pass_s(2, celsius=96.0)
    known = ("ocr", "asr", "vad", "microphone", "speech")
    shown = bench.governing.shown(Feature(name, "ready", "x", "") for name in (*known, "language", "dialogue"))
    assert [feature.state for feature in shown] == ["off"] * 5 + ["ready"] * 2
    assert replace(shown[0], state="ready").required is False


def test_limits_that_cannot_work_here_are_told_at_the_start() -> None:
    bench = Bench(Settings(temperature_critical_c=105.0))
    bench.board.sensors = SimpleNamespace(zones=(SimpleNamespace(critical_c=104.5),))
    bench.governing.start()
    bench.governing.close()
    assert "104.5" in str(bench.heard.of("governor_problem")[0]["reason"])


def test_a_chip_that_gets_too_hot_while_work_waits_for_power_takes_it_no_more() -> None:
    bench = Bench()
    bench.pass_s(3)
    entered = bench.governing.pace.enter

    def slowly(*args: Any) -> Any:
        bench.governing._level = DEEPEST + 1
        return entered(*args)

    bench.governing.pace.enter = slowly  # type: ignore[method-assign]
    with pytest.raises(TooHot), bench.governing.enter("image"):
        raise AssertionError("it was let in")
    assert bench.governing.pace.account.running == 0
