"""The cache of fixed phrases: what is kept and what must not be, its bounds, and preparing it."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from appliance.errors import Unavailable
from appliance.speech.tts.phrases import Phrases, Remembering
from appliance.values import Audio
from tests.speech.tts.speakers import FakeVoice


def sound(samples: int, level: float = 0.25) -> Audio:
    return Audio(np.full(samples, level, np.float32), 16_000)


def test_what_is_put_comes_back() -> None:
    phrases = Phrases()
    key = ("engine", "zh", "您好")
    assert phrases.get(key) is None
    phrases.put(key, Audio(np.linspace(-1, 1, 1000, dtype=np.float32), 22_050))
    found = phrases.get(key)
    assert found is not None
    assert (found.rate, found.samples.dtype) == (22_050, np.float32)
    np.testing.assert_allclose(found.samples, np.linspace(-1, 1, 1000), atol=1 / 32767)
    kept = phrases.kept
    assert (kept.phrases, kept.held_bytes, kept.hits, kept.misses) == (1, 2000, 1, 1)
    phrases.clear()
    assert phrases.kept.held_bytes == 0


def test_the_longest_unused_is_given_up() -> None:
    phrases = Phrases(most_bytes=3000)
    for name in "abc":
        phrases.put(("e", "zh", name), sound(500))
    phrases.get(("e", "zh", "a"))
    phrases.put(("e", "zh", "d"), sound(500))
    assert phrases.get(("e", "zh", "b")) is None
    assert all(phrases.get(("e", "zh", name)) for name in "acd")
    phrases.put(("e", "zh", "a"), sound(700))
    assert phrases.kept.held_bytes <= 3000
    phrases.put(("e", "zh", "huge"), sound(5000))
    assert phrases.get(("e", "zh", "huge")) is None


def test_only_fixed_phrases_are_kept() -> None:
    voice, phrases = FakeVoice(), Phrases()
    kiosk = Remembering(voice, phrases, ["您好！请问要办什么？", "请稍等。"])
    first = kiosk.say("请稍等。您的电话是 13812345678。", "zh")
    again = kiosk.say("请稍等。您的电话是 13812345678。", "zh")
    np.testing.assert_allclose(first.samples, again.samples, atol=1e-4)
    assert voice.said == ["请稍等。", "您的电话是 13812345678。", "您的电话是 13812345678。"]
    assert phrases.kept.phrases == 1
    assert kiosk.name == voice.name
    assert kiosk.languages == voice.languages


def test_prepared_phrases_are_not_made_again() -> None:
    voice = FakeVoice()
    told: list[tuple[str, dict[str, object]]] = []
    kiosk = Remembering(
        voice,
        Phrases(),
        ["您好！请问要办什么？", "请稍等。"],
        listener=lambda event, **fields: told.append((event, fields)),
    )
    assert kiosk.prepare("zh") == 3
    assert kiosk.prepare("zh") == 0
    assert len(voice.said) == 3
    kiosk.say("您好！请问要办什么？", "zh")
    assert len(voice.said) == 3
    assert told[0] == ("speech.phrases", {"made": 3, "failed": 0})


def test_another_manner_or_language_is_another_sound() -> None:
    voice, phrases = FakeVoice(), Phrases()
    slow, fast = (Remembering(voice, phrases, ["Hello."], manner=manner) for manner in ("120", "220"))
    slow.say("Hello.", "zh")
    slow.say("Hello.", "en")
    fast.say("Hello.", "zh")
    assert len(voice.said) == 3


def test_a_phrase_that_cannot_be_said_is_passed_over() -> None:
    voice = FakeVoice(fails=lambda text: "坏" in text)
    kiosk = Remembering(voice, Phrases(), ["坏的。", "好的。"])
    assert kiosk.prepare("zh") == 1
    with pytest.raises(Unavailable):
        kiosk.say("坏的。", "zh")


def test_close_ends_preparing() -> None:
    kiosk: Remembering
    voice = FakeVoice(fails=lambda text: bool(kiosk.close()))
    kiosk = Remembering(voice, Phrases(), [f"第{number}句。" for number in "一二三四五"])
    thread = threading.Thread(target=kiosk.prepare, args=("zh",))
    thread.start()
    thread.join(30)
    assert len(voice.said) == 1
    assert voice.closed
