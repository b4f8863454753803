"""Networks load beside the pack, and whatever fails nothing is left behind."""

from __future__ import annotations

import threading
import time

import pytest

from appliance.app import load
from appliance.app.build import build
from appliance.app.senses import Sense
from appliance.errors import PackInvalid
from appliance.settings import Settings


def test_networks_load_while_the_pack_is_read(tmp_path, monkeypatch):
    """Each waits for the other: one after the other would never end."""
    both = threading.Barrier(2)

    def load_pack(name: str) -> object:
        both.wait(10)
        return real(name)

    def build_reader(*_: object) -> Sense:
        both.wait(10)
        return Sense(None, lambda: load.left_out("ocr"))

    real = load.load_pack
    monkeypatch.setattr(load, "load_pack", load_pack)
    monkeypatch.setattr(load, "build_reader", build_reader)
    with build(Settings(data_dir=str(tmp_path)), senses=("ocr",)) as appliance:
        assert appliance.ready()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("loading")]


@pytest.mark.parametrize("which", ["reader", "words"])
def test_what_fails_beside_the_pack_is_raised_and_everything_is_closed(tmp_path, monkeypatch, which):
    def broken(*_: object) -> object:
        raise OSError("disk")

    before = set(threading.enumerate())
    monkeypatch.setattr(load, f"build_{which}", broken)
    with pytest.raises(OSError, match="disk"):
        build(Settings(data_dir=str(tmp_path)), senses=("ocr",))
    assert set(threading.enumerate()) <= before


def test_a_pack_that_is_refused_waits_for_what_loads_and_closes_it(tmp_path, monkeypatch):
    def refused(name: str) -> object:
        raise PackInvalid("store: expected intents, got none")

    loaded = threading.Event()

    def build_reader(*_: object) -> Sense:
        time.sleep(0.1)
        loaded.set()
        return Sense(None, lambda: load.left_out("ocr"))

    before = set(threading.enumerate())
    monkeypatch.setattr(load, "load_pack", refused)
    monkeypatch.setattr(load, "build_reader", build_reader)
    with pytest.raises(PackInvalid):
        build(Settings(data_dir=str(tmp_path)), senses=("ocr",))
    assert loaded.is_set(), "nothing is closed under what still loads"
    assert set(threading.enumerate()) <= before


def test_a_parser_that_fails_lets_nothing_more_load(tmp_path, monkeypatch):
    loading, go = threading.Event(), threading.Event()

    def build_reader(*_: object) -> Sense:
        loading.set()
        go.wait(10)
        return Sense(None, lambda: load.left_out("ocr"))

    def parser(*_: object) -> object:
        assert loading.wait(10)
        threading.Timer(0.1, go.set).start()
        raise PackInvalid("store: expected templates, got none")

    begun = []
    monkeypatch.setattr(load, "build_reader", build_reader)
    monkeypatch.setattr(load, "build_words", lambda *_: begun.append(1))
    monkeypatch.setattr(load, "Parser", parser)
    with pytest.raises(PackInvalid):
        build(Settings(data_dir=str(tmp_path)), senses=("ocr",))
    assert go.is_set(), "what loaded already came to its end"
    assert begun == []
