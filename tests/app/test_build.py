"""What build() does by itself: networks load beside the pack, and the decoder."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from appliance.app import build as building
from appliance.app.senses import Sense
from appliance.errors import InvalidInput, PackInvalid
from appliance.settings import Settings
from appliance.values import Turn
from appliance.vision.container import ImageInfo
from appliance.wall import Wall


@pytest.mark.parametrize("side, at_once", [(6000, 1), (1000, 4)])
def test_large_images_are_decoded_one_after_the_other(monkeypatch, side, at_once):
    """Small ones are not kept waiting: four of them meet inside the decoder."""
    inside, most, lock = 0, 0, threading.Lock()
    meeting = threading.Barrier(at_once)

    def decode(data: bytes, **_: object) -> object:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        meeting.wait(10)
        if at_once == 1:
            time.sleep(0.02)  # time for another to come in, if it could
        with lock:
            inside -= 1
        return np.zeros((2, 2, 3), np.uint8)

    monkeypatch.setattr(building, "probe", lambda data: ImageInfo("PNG", side, side, 1))
    monkeypatch.setattr(building, "decode", decode)
    decoded = building._decoder(Settings())
    threads = [threading.Thread(target=decoded, args=(b"",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert most == at_once


def test_broken_image_leaves_the_decoder_free(monkeypatch):
    def decode(data: bytes, **_: object) -> object:
        raise InvalidInput("image: expected a complete PNG, got a truncated one")

    monkeypatch.setattr(building, "probe", lambda data: ImageInfo("PNG", 6000, 6000, 1))
    monkeypatch.setattr(building, "decode", decode)
    decoded = building._decoder(Settings())
    for _ in range(2):
        with pytest.raises(InvalidInput):
            decoded(b"")


def test_networks_load_while_the_pack_is_read(tmp_path, monkeypatch):
    """Each waits for the other: one after the other would never end."""
    both = threading.Barrier(2)

    def load_pack(name: str) -> object:
        both.wait(10)
        return real(name)

    def build_reader(*_: object) -> Sense:
        both.wait(10)
        return Sense(None, lambda: building._left_out("ocr"))

    real = building.load_pack
    monkeypatch.setattr(building, "load_pack", load_pack)
    monkeypatch.setattr(building, "build_reader", build_reader)
    with building.build(Settings(data_dir=str(tmp_path)), senses=("ocr",)) as appliance:
        assert appliance.ready()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("loading")]


@pytest.mark.parametrize("which", ["reader", "words"])
def test_what_fails_beside_the_pack_is_raised_and_everything_is_closed(tmp_path, monkeypatch, which):
    def broken(*_: object) -> object:
        raise OSError("disk")

    before = set(threading.enumerate())
    monkeypatch.setattr(building, f"build_{which}", broken)
    with pytest.raises(OSError, match="disk"):
        building.build(Settings(data_dir=str(tmp_path)), senses=("ocr",))
    assert set(threading.enumerate()) <= before


def test_a_pack_that_is_refused_waits_for_what_loads_and_closes_it(tmp_path, monkeypatch):
    def refused(name: str) -> object:
        raise PackInvalid("store: expected intents, got none")

    loaded = threading.Event()

    def build_reader(*_: object) -> Sense:
        time.sleep(0.1)
        loaded.set()
        return Sense(None, lambda: building._left_out("ocr"))

    before = set(threading.enumerate())
    monkeypatch.setattr(building, "load_pack", refused)
    monkeypatch.setattr(building, "build_reader", build_reader)
    with pytest.raises(PackInvalid):
        building.build(Settings(data_dir=str(tmp_path)), senses=("ocr",))
    assert loaded.is_set(), "nothing is closed under what still loads"
    assert set(threading.enumerate()) <= before


def test_a_parser_that_fails_lets_nothing_more_load(tmp_path, monkeypatch):
    loading, go = threading.Event(), threading.Event()

    def build_reader(*_: object) -> Sense:
        loading.set()
        go.wait(10)
        return Sense(None, lambda: building._left_out("ocr"))

    def parser(*_: object) -> object:
        assert loading.wait(10)
        threading.Timer(0.1, go.set).start()
        raise PackInvalid("store: expected templates, got none")

    begun = []
    monkeypatch.setattr(building, "build_reader", build_reader)
    monkeypatch.setattr(building, "build_words", lambda *_: begun.append(1))
    monkeypatch.setattr(building, "Parser", parser)
    with pytest.raises(PackInvalid):
        building.build(Settings(data_dir=str(tmp_path)), senses=("ocr",))
    assert go.is_set(), "what loaded already came to its end"
    assert begun == []


def test_with_a_clock_that_cannot_be_right_dates_are_not_answered_and_nothing_is_removed(tmp_path):
    now = [86_400.0]
    heard = []
    wall = Wall(lambda: now[0])
    settings = Settings(data_dir=str(tmp_path))
    with building.build(settings, senses=(), wall=wall, listener=lambda e, /, **f: heard.append((e, f))) as appliance:
        wrong = {feature.name: feature for feature in appliance.features()}
        assert wrong["clock"].state == "failed"
        assert "1970-01-02" in wrong["clock"].reason
        assert appliance.status()["clock"]["sure"] is False
        assert appliance.ready(), "everything else serves"
        answer = appliance.turn(Turn("几点关门")).answer
        assert answer.data["open"] is None
        assert "正在营业" not in answer.text
        assert "不是营业时间" not in answer.text
        assert appliance.turn(Turn("明天开门吗")).parse.entities == ()
        appliance._rooms.tidy()
        now[0] = 1.8e9  # somebody sets it
        appliance._rooms.tidy()
        assert ("clock_stepped", {"seconds": round(1.8e9 - 86_400)}) in heard
        assert "clock" not in {feature.name for feature in appliance.features()}
        assert appliance.turn(Turn("几点关门")).answer.data["open"] in (True, False)
        found = appliance.turn(Turn("明天开门吗")).parse.entities
        assert [entity.type for entity in found] == ["date"]


def test_records_that_cannot_be_written_are_told_and_kept(tmp_path):
    (tmp_path / "records").write_text("where a folder should be")
    with building.build(Settings(data_dir=str(tmp_path)), senses=()) as appliance:
        assert appliance.turn(Turn("你好")).answer.text
        told = next(feature for feature in appliance.features() if feature.name == "records")
        assert (told.state, told.backend) == ("fallback", "memory")
        assert appliance.status()["events"]["waiting"] > 0
        assert appliance.ready()
