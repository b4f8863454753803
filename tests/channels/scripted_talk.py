"""A conversation with everything around it scripted: ears, what recognises, a mouth, heat."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from fake_door import FakeDoor

from appliance.channels.voice.conversation import Conversation
from appliance.channels.voice.feed import Event
from appliance.channels.voice.manners import Manners
from appliance.errors import ApplianceError, TooHot, Unavailable
from appliance.speech.listen import Final, Partial
from appliance.values import Audio, Transcript

SILENCE, SPEECH, END = 0.0, 0.5, -0.5
"""Samples by which the fakes tell what a block is: nobody, somebody who speaks, the end of a sentence."""


class ScriptedEars:
    """Gives one block of 0.1 s after the other, of what it was told to; else nothing, as a microphone that is idle."""

    def __init__(self) -> None:
        self.blocks: deque[float] = deque()

    def hear(self, *blocks: float) -> None:
        self.blocks.extend(blocks)

    def read(self, timeout_s: float) -> np.ndarray:
        if self.blocks:
            return np.full(1600, self.blocks.popleft(), np.float32)
        time.sleep(0.002)
        return np.zeros(0, np.float32)


class ScriptedUtterances:
    """Somebody speaks in blocks of SPEECH; END ends the sentence, which then is the next one of `sentences`."""

    def __init__(self, sentences: deque[str], fails: list[ApplianceError]) -> None:
        self.sentences, self.fails = sentences, fails
        self.blocks = 0
        self.closed = False

    @property
    def speaking(self) -> bool:
        return self.blocks > 0

    @property
    def probability(self) -> float:
        return float(self.blocks > 0)

    def feed(self, samples: np.ndarray) -> list[Partial | Final]:
        if self.fails:
            raise self.fails.pop()
        if samples[0] == SPEECH:
            self.blocks += 1
            return [Partial("…" * self.blocks, self.blocks * 0.1)]
        return self.finish() if samples[0] == END else []

    def finish(self) -> list[Partial | Final]:
        if not self.blocks:
            return []
        self.blocks = 0
        text = self.sentences.popleft()
        return [Final(Transcript(text, 0.9, "zh"), Audio(np.zeros(0, np.float32), 16_000), 0.0, 1.0, "silence", {})]

    def close(self) -> None:
        self.closed = True


class SlowWords:
    """Words that are over when somebody says so, or breaks them off."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.stopped = False
        self.error: ApplianceError | None = None

    @property
    def done(self) -> bool:
        return self.over.is_set()

    def stop(self) -> None:
        self.stopped = True
        self.over.set()


class ScriptedMouth:
    """Says what it is told to, for as long as the test wants."""

    def __init__(self, *, at_once: bool = True, fails: bool = False) -> None:
        self.said: list[str] = []
        self.words: list[SlowWords] = []
        self.at_once, self.fails = at_once, fails

    def say(self, text: str, language: str) -> SlowWords:
        if self.fails:
            raise Unavailable("no loudspeaker")
        self.said.append(text)
        self.words.append(SlowWords())
        if self.at_once:
            self.words[-1].over.set()
        return self.words[-1]


class Talk:
    """A conversation with everything around it scripted."""

    def __init__(self, **more: Any) -> None:
        self.door = FakeDoor()
        self.ears = ScriptedEars()
        self.sentences: deque[str] = deque()
        self.fails: list[ApplianceError] = []
        self.made: list[ScriptedUtterances] = []
        self.languages: list[str] = []
        self.manners = more.pop("manners", Manners(patience=0.5, follow=0.5))
        self.talk = Conversation(
            self.ears,
            self._hear,
            self.door.heard,
            lambda reply: {"text": reply.turn.text, "session": reply.session},
            manners=lambda: self.manners,
            **more,
        )
        self.events: list[Event] = []

    def _hear(self, language: str) -> ScriptedUtterances:
        self.languages.append(language)
        self.made.append(ScriptedUtterances(self.sentences, self.fails))
        return self.made[-1]

    def until(self, wanted: Callable[[], object]) -> None:
        end = time.monotonic() + 10
        while not wanted():
            self.gather()
            assert time.monotonic() < end, f"it did not come to that; so far: {self.events}"
            time.sleep(0.002)
        self.gather()

    def gather(self) -> None:
        while (event := self.queue.get(0)) is not None:
            if event.name != "level":
                self.events.append(event)

    def told(self, name: str) -> list[dict[str, Any]]:
        self.gather()
        return [dict(event.data) for event in self.events if event.name == name]


@contextmanager
def talking(**more: Any) -> Iterator[Talk]:
    scene = Talk(**more)
    with scene.talk.feed.listening(scene.talk.first) as queue:
        scene.queue = queue
        scene.talk.start()
        try:
            yield scene
        finally:
            scene.talk.close()
    assert all(each.closed for each in scene.made), "a stream was left open"


def phases(scene: Talk) -> list[str]:
    return [str(data["phase"]) for data in scene.told("state")]


def wake(text: str) -> str | None:
    return text.removeprefix("小店你好") if text.startswith("小店你好") else None


class Heat:
    """Refuses sound while it is on."""

    def __init__(self) -> None:
        self.on = False

    def __call__(self) -> None:
        if self.on:
            raise TooHot("the chip has to cool to 85 degrees first, got 96", retry_after=60)
