"""The conversation at the kiosk's own microphone: idle, listening, thinking, speaking, and back.

One thread fetches sound and drives everything. Between two blocks of sound it looks at what others have asked for
(`listen`, `finish`, `cancel`), so nothing of the conversation is touched by two threads. While the kiosk thinks or
speaks the microphone's ring keeps what comes; what was captured while it spoke is heard only where echo cancellation
takes the kiosk's own voice out.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from appliance.channels.voice.attend import Insistence, attend
from appliance.channels.voice.feed import Event, Feed
from appliance.channels.voice.manners import Manners
from appliance.channels.voice.parts import Answers, Ears, Mouth, Playing, Samples, Shows, Wakes
from appliance.errors import ApplianceError, TooHot, Unavailable
from appliance.listener import Listener, silent
from appliance.speech.level import loudness
from appliance.speech.listen import Final, Partial, Utterances
from appliance.speech.resample import RATE
from appliance.trail import trail
from appliance.values import Reply, Transcript

log = logging.getLogger(__name__)

IDLE, LISTENING, THINKING, SPEAKING = "idle", "listening", "thinking", "speaking"
BLOCK_S = 0.1
"""Longest wait for sound, and so for what others ask meanwhile."""
RECENT_S = 0.5
"""Sound kept from before somebody asked the kiosk to listen: the first syllable comes with the finger."""
STARVED_S = 2.0
"""Seconds without any sound, as of a microphone that was pulled out, after which a sentence is over."""
DEAF_S = 10.0
"""Seconds without listening for the wake phrase after what recognises has failed: nobody asked, so nobody is told."""
USUAL_LEVEL = 0.05
"""How loud somebody is taken to be who has not been heard yet, root mean square: -26 dB of full scale."""
SOFTEST = 0.005
"""Least level of speech that breaks an answer off, -46 dB: what echo cancellation leaves is softer, mostly."""
LEVEL_S = 0.1
"""Seconds between two looks of the level meter."""

Shown = Callable[[str | None, str], Reply | None]
"""Reads what is shown and answers it (session, language); None when no turn came of it."""


class Conversation:
    """Takes turns at one microphone. `start` begins its thread, `close` ends it."""

    def __init__(
        self,
        ears: Ears,
        hear: Callable[[str], Utterances],
        answer: Answers,
        show: Shows,
        *,
        mouth: Mouth | None = None,
        wakes: Wakes | None = None,
        manners: Callable[[], Manners] = Manners,
        end: Callable[[str], object] = lambda _session: None,
        allowed: Callable[[], object] = lambda: None,
        listener: Listener = silent,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`hear` makes what recognises a language; `mouth` is None where nothing speaks, `wakes` without a phrase.

        `manners` is asked anew for every answer: another microphone may be open by then, with or without echo
        cancellation. `allowed` raises ApplianceError while no sound is taken, as when the chip is too hot.
        """
        self._allowed = allowed
        self._ears, self._hear, self._answer, self._show = ears, hear, answer, show
        self._mouth, self._wakes, self._manners = mouth, wakes, manners
        self._end, self._listener, self._clock = end, listener, clock
        self.feed = Feed()
        self._lock = threading.Lock()
        self._asked: list[Callable[[], None]] = []
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="voice", daemon=True)
        self._phase = IDLE
        self._session: str | None = None
        self._language = "zh"
        self._woken = False
        self._until = 0.0
        self._levelled = 0.0
        self._sounded = 0.0
        self._deaf = 0.0
        self._gone = False
        self._utterances: Utterances | None = None
        self._recent: deque[Samples] = deque()
        self._left: list[Partial | Final] = []
        self._loud = USUAL_LEVEL
        self._shown: _Shown | None = None
        self._ended = False

    @property
    def phase(self) -> str:
        """`idle`, `listening`, `thinking` or `speaking`."""
        return self._phase

    def start(self) -> None:
        """Begin to fetch sound."""
        self._thread.start()

    def close(self) -> None:
        """End the thread, whatever it does. A second call does nothing."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(10)

    def listen(self, session: str | None, language: str) -> None:
        """Listen to the next sentence in `language` and answer it in `session`.

        What is being said is broken off, what is being heard begins anew. Raises Unavailable when the thread has ended.
        """
        if not self._thread.is_alive() or self._closed.is_set():
            raise Unavailable("voice: expected a conversation that runs, got one that has ended", retry_after=5)

        def begin() -> None:
            self._session, self._language, self._woken = session, language, False
            self._listen(self._manners().patience)

        self._ask(begin)

    def finish(self) -> None:
        """The sentence is over: answer what was heard so far, without waiting for silence. Breaks off what is said."""
        if self._phase != THINKING:  # a second tap is not meant for the answer that is about to come
            self._ask(self._finish)

    def attend(self, session: str | None, language: str) -> None:
        """The next sentence, or what is shown, belongs to `session` and is answered in `language`, unless one is on."""

        def turn_to() -> None:
            if self._phase == IDLE:
                self._session, self._language = session, language

        self._ask(turn_to)

    def show(self, answer: Shown, stopped: Callable[[], bool] = lambda: False) -> Reply | None:
        """Answer what somebody shows, and say it aloud; waits until it is answered, and for a sentence to be over.

        The kiosk's own words are broken off for it. None when no turn came of it, the conversation has ended, or
        `stopped` said so before its turn had come.
        """
        shown = _Shown(answer)
        with self._lock:
            if self._ended or not self._thread.is_alive() or self._shown is not None:
                return None
            self._shown = shown
        while not shown.over.wait(BLOCK_S):
            with self._lock:
                if stopped() and not shown.begun and self._shown is shown:
                    self._shown = None
                    return None
        return shown.reply

    def cancel(self) -> None:
        """Forget what is being said, fall silent, and forget the session."""
        with self._lock:
            self._asked.append(self._forget)
            self._gone = True

    def state(self) -> dict[str, object]:
        """What the page shows: the phase, and whether speaking breaks off the kiosk's words."""
        return {"phase": self._phase, "woken": self._woken, "barge_in": self._manners().barge_in}

    def first(self) -> Event:
        """What a listener who comes now has to know."""
        return Event("state", self.state())

    def _ask(self, what: Callable[[], None]) -> None:
        with self._lock:
            self._asked.append(what)

    def _run(self) -> None:
        try:
            while not self._closed.is_set():
                self._guarded(self._round)
        finally:
            self._drop()
            with self._lock:
                shown, self._shown, self._ended = self._shown, None, True
            if shown is not None:
                shown.over.set()

    def _guarded(self, work: Callable[[], None]) -> None:
        """A round that fails is said, and the conversation begins anew: nobody at the counter restarts a process."""
        try:
            work()
        except ApplianceError as error:
            self._tell_failure(error)
            self._rest()
        except Exception as error:  # noqa: BLE001 - nobody at the counter restarts a process for one failed turn
            log.error("voice: %s", trail(error))  # without its message, which may hold a customer's words
            self._deaf = self._clock() + DEAF_S
            self._tell_failure(ApplianceError("voice: expected a turn to end well, got a defect; the log has it"))
            self._rest()

    def _tell_failure(self, error: ApplianceError) -> None:
        self._listener("voice_failed", code=error.code)
        self.feed.tell("error", code=error.code, message=error.message, remedy=error.remedy)

    def _round(self) -> None:
        while True:
            with self._lock:
                what = self._asked.pop(0) if self._asked else None
            if what is None:
                break
            what()  # one by one: where one fails, the others still come
        with self._lock:
            shown = self._shown
            if shown is not None:
                shown.begun = self._between()
        if shown is not None and shown.begun:
            self._answer_shown(shown)
        samples = self._ears.read(BLOCK_S)
        if len(samples):
            self._sounded = self._clock()
            self._level(samples)
            self._keep(samples)
        if self._phase == LISTENING and self._clock() - self._sounded > STARVED_S:
            self._finish()
        elif self._phase == LISTENING:
            self._hearing(samples)
        elif self._phase == IDLE and self._wakes is not None and len(samples) and self._clock() >= self._deaf:
            self._dozing(samples)

    def _dozing(self, samples: Samples) -> None:
        """Nobody has asked for anything: listen for the wake phrase alone, and tell nobody what else is said."""
        try:
            events = self._heard(samples)
        except TooHot:  # nobody has asked for anything, so nobody is told, and nothing has failed
            self._drop()
            self._deaf = self._clock() + DEAF_S
            return
        except ApplianceError as error:
            self._drop()
            self._deaf = self._clock() + DEAF_S
            self._listener("voice_failed", code=error.code)
            return
        for event in events:
            if not isinstance(event, Final) or self._wakes is None:
                continue
            rest = self._wakes(event.transcript.text)
            if rest is None:
                continue
            self._recent.clear()
            self._loud = loudness(event.audio.samples) or USUAL_LEVEL
            self._woken = True
            self._listener("voice_woken")
            if rest:
                self._reply(replace(event.transcript, text=rest))
            else:
                self._listen(self._manners().patience)
            return

    def _hearing(self, samples: Samples) -> None:
        left, self._left = self._left, []
        for event in [*left, *(self._heard(samples) if len(samples) else ())]:
            if isinstance(event, Partial):
                self._until = self._clock() + self._manners().patience
                self.feed.tell("partial", text=event.text, at=round(event.at, 3))
            elif self._take(event):
                return
            elif event.reason == "maximum":  # a long sound and no word in it: a machine, or music
                self._silence()
                return
        speaking = self._utterances is not None and self._utterances.speaking
        if speaking:
            self._until = self._clock() + self._manners().patience
        elif self._clock() > self._until:
            self._silence()

    def _silence(self) -> None:
        """Nobody speaks any more; where no screen tells of a customer who stays, the next one is another."""
        self.feed.tell("silence")
        if not self.feed.listeners:
            self._session = None
        self._rest()

    def _finish(self) -> None:
        if self._phase != LISTENING:
            return
        for event in self._utterances.finish() if self._utterances is not None else ():
            if isinstance(event, Final) and self._take(event):
                return
        self._silence()

    def _take(self, final: Final) -> bool:
        """Answer one sentence; False when no word of it was recognised."""
        if not final.transcript.text:
            return False
        self._loud = loudness(final.audio.samples) or USUAL_LEVEL
        transcript = final.transcript
        if self._woken and self._wakes is not None:  # some say the phrase before every sentence
            rest = self._wakes(transcript.text)
            if rest == "":
                self._until = self._clock() + self._manners().patience
                return False
            transcript = replace(transcript, text=rest or transcript.text)
        self._reply(transcript)
        return True

    def _between(self) -> bool:
        """Whether nobody is in the middle of a sentence."""
        speaking = self._utterances is not None and self._utterances.speaking
        return self._phase == IDLE or (self._phase == LISTENING and not speaking)

    def _answer_shown(self, shown: _Shown) -> None:
        listened = self._phase == LISTENING
        self._drop()
        self._enter(THINKING)
        try:
            reply = shown.answer(self._session, self._language)
            if reply is not None and not self._left_meanwhile(reply):
                shown.reply = reply
        finally:
            with self._lock:
                self._shown = None
            shown.over.set()
        if shown.reply is not None:
            self._tell_reply(shown.reply)
        elif listened:
            self._listen(self._manners().patience)
        else:
            self._rest()

    def _reply(self, transcript: Transcript) -> None:
        self._drop()
        self._recent.clear()  # it has been heard
        self._enter(THINKING)
        reply = self._answer(transcript, self._session, self._language)
        if self._left_meanwhile(reply):
            return
        self._listener("voice_answered", intent=reply.parse.intent.confidence, heard=transcript.confidence)
        self._tell_reply(reply)

    def _left_meanwhile(self, reply: Reply) -> bool:
        """Whoever asked has left: what was answered is nobody's, and the session ends with it."""
        with self._lock:
            gone = self._gone
        if gone:
            self._end(reply.session)
        return gone

    def _tell_reply(self, reply: Reply) -> None:
        self._session = reply.session
        self.feed.tell("reply", **self._show(reply))
        if self._mouth is not None:
            self._speak(reply.answer.text, reply.answer.language)
        if self._phase in (THINKING, SPEAKING):
            self._after()

    def _after(self) -> None:
        """Whoever came by the wake phrase may go on without it; whoever pressed a key presses it again."""
        if self._woken:
            self._listen(self._manners().follow)
        else:
            self._rest()

    def _speak(self, text: str, language: str) -> None:
        """Say `text` to its end, or until somebody speaks or asks otherwise."""
        if self._mouth is None:
            return
        manners = self._manners()
        try:
            playing = self._mouth.say(text, language)
        except ApplianceError as error:  # the answer stands on the screen; that it is not heard, is said there
            self._tell_failure(error)
            return
        self._enter(SPEAKING)
        try:
            broken = self._attend(playing, manners)
        except BaseException:
            playing.stop()
            raise
        if broken is None:  # somebody has asked for something else
            return
        if playing.error is not None and not broken:
            self._tell_failure(playing.error)
        if broken:
            self._listener("voice_barge_in")
            self._until = self._clock() + manners.patience
            self._sounded = self._clock()
            self._enter(LISTENING)
        else:
            self._drop()
            self._recent.clear()  # the kiosk's own last words

    def _attend(self, playing: Playing, manners: Manners) -> bool | None:
        """Wait for the end of what is said; True when somebody spoke into it, None when something else was asked."""
        self._utterances = self._hear(self._language) if manners.barge_in else None

        def asked() -> bool:
            with self._lock:
                return bool(self._asked) or self._shown is not None or self._closed.is_set()

        def took(samples: Samples) -> None:
            self._level(samples)
            if manners.barge_in:
                self._keep(samples)

        softer = 10 ** (-manners.softer_db / 20)
        level = min(max(self._loud * softer, SOFTEST), USUAL_LEVEL * softer)
        insistence = Insistence(manners.insisting, level=level)
        broken = attend(playing, self._ears, self._utterances, insistence, asked=asked, took=took)
        if broken:  # heard anew from just before: what came earlier are the kiosk's own words
            self._drop()
            self._left = [event for block in self._recent for event in self._heard(block)]
        if broken is None:
            self._drop()
        return broken

    def _listen(self, patience: float) -> None:
        self._drop()
        self._allowed()
        self._utterances = self._hear(self._language)
        self._until = self._clock() + patience
        self._sounded = self._clock()
        self._enter(LISTENING)
        self._left += [event for block in self._recent for event in self._utterances.feed(block)]

    def _forget(self) -> None:
        with self._lock:
            self._gone = False
        self._session = None
        self._recent.clear()
        self._rest()

    def _rest(self) -> None:
        self._drop()
        self._woken = False
        self._language = "zh"  # that of the wake phrase
        self._enter(IDLE)

    def _heard(self, samples: Samples) -> list[Partial | Final]:
        self._allowed()
        if self._utterances is None:
            self._utterances = self._hear(self._language)
        return self._utterances.feed(samples)

    def _drop(self) -> None:
        self._left = []
        if self._utterances is not None:
            self._utterances.close()
            self._utterances = None

    def _enter(self, phase: str) -> None:
        if phase != self._phase:
            self._phase = phase
            self.feed.tell("state", **self.state())

    def _keep(self, samples: Samples) -> None:
        self._recent.append(samples)
        while sum(map(len, self._recent)) - len(self._recent[0]) > RECENT_S * RATE:
            self._recent.popleft()

    def _level(self, samples: Samples) -> None:
        now = self._clock()
        if now - self._levelled >= LEVEL_S and self.feed.listeners:
            self._levelled = now
            self.feed.tell("level", peak=round(float(np.abs(samples).max()), 3))


class _Shown:
    """Something that is shown and waits for its answer."""

    def __init__(self, answer: Shown) -> None:
        self.answer = answer
        self.begun = False
        self.over = threading.Event()
        self.reply: Reply | None = None
