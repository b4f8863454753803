"""Taking turns: what a conversation does with what it hears, and what follows. One thread has it for itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from appliance.channels.voice.asked import Asked, Shown
from appliance.channels.voice.attend import USUAL_LEVEL, attend, needed
from appliance.channels.voice.ear import Ear
from appliance.channels.voice.feed import Feed
from appliance.channels.voice.manners import Manners
from appliance.channels.voice.parts import Parts, Playing, Samples
from appliance.channels.voice.waking import Waking
from appliance.errors import ApplianceError
from appliance.speech.level import loudness
from appliance.speech.listen import Final, Partial
from appliance.values import Reply, Transcript

IDLE, LISTENING, THINKING, SPEAKING = "idle", "listening", "thinking", "speaking"
STARVED_S = 2.0
"""Seconds without any sound, as of a microphone that was pulled out, after which a sentence is over."""
LEVEL_S = 0.1
"""Seconds between two looks of the level meter."""


class Turns:
    """Hears, thinks, speaks, and listens again."""

    def __init__(self, parts: Parts, feed: Feed, asked: Asked, closed: Callable[[], bool]) -> None:
        """`feed` is told what happens; what is `asked` for, and being `closed`, break off the kiosk's own words."""
        self._parts, self._feed, self._asked, self._closed = parts, feed, asked, closed
        self._ear = Ear(parts.hear, parts.allowed)
        self._waking = Waking(parts, self._ear)
        self._phase = IDLE
        self._session: str | None = None
        self._language = "zh"
        self._woken = False
        self._until = 0.0
        self._levelled = 0.0
        self._sounded = 0.0
        self._loud = USUAL_LEVEL

    @property
    def phase(self) -> str:
        """`idle`, `listening`, `thinking` or `speaking`; any thread may ask."""
        return self._phase

    def state(self) -> dict[str, object]:
        """What the page shows: the phase, and whether speaking breaks off the kiosk's words; any thread may ask."""
        return {"phase": self._phase, "woken": self._woken, "barge_in": self._parts.manners().barge_in}

    def begin(self, session: str | None, language: str) -> None:
        """Listen to the next sentence in `language`, for `session`; what is being heard begins anew."""
        self._session, self._language, self._woken = session, language, False
        self._listen(self._parts.manners().patience)

    def turn_to(self, session: str | None, language: str) -> None:
        """The next sentence, or what is shown, belongs to `session`, unless one is on."""
        if self._phase == IDLE:
            self._session, self._language = session, language

    def took(self, samples: Samples) -> None:
        """A block of new sound has come, or an empty one."""
        if len(samples):
            self._sounded = self._parts.clock()
            self._level(samples)
            self._ear.keep(samples)
        if self._phase == LISTENING and self._parts.clock() - self._sounded > STARVED_S:
            self.finish()
        elif self._phase == LISTENING:
            self._hearing(samples)
        elif self._phase == IDLE and len(samples):
            self._dozing(samples)

    def deafen(self) -> None:
        """Do not listen for the wake phrase for a while: a defect would come again with the next block."""
        self._waking.deafen()

    def drop(self) -> None:
        """Hear no more; releases what recognises."""
        self._ear.drop()

    def fail(self, error: ApplianceError) -> None:
        """Tell whoever watches that a turn has failed."""
        self._parts.listener("voice_failed", code=error.code)
        self._feed.tell("error", code=error.code, message=error.message, remedy=error.remedy)

    def _dozing(self, samples: Samples) -> None:
        """Nobody has asked for anything; whoever says the wake phrase is listened to, or answered at once."""
        called = self._waking.called(samples, self._language)
        if called is None:
            return
        final, rest = called
        self._ear.forget()
        self._loud = loudness(final.audio.samples) or USUAL_LEVEL
        self._woken = True
        self._parts.listener("voice_woken")
        if rest:
            self._reply(replace(final.transcript, text=rest))
        else:
            self._listen(self._parts.manners().patience)

    def _hearing(self, samples: Samples) -> None:
        for event in self._ear.taken(samples, self._language):
            if isinstance(event, Partial):
                self._until = self._parts.clock() + self._parts.manners().patience
                self._feed.tell("partial", text=event.text, at=round(event.at, 3))
            elif self._take(event):
                return
            elif event.reason == "maximum":  # a long sound and no word in it: a machine, or music
                self._silence()
                return
        if self._ear.speaking:
            self._until = self._parts.clock() + self._parts.manners().patience
        elif self._parts.clock() > self._until:
            self._silence()

    def _silence(self) -> None:
        """Nobody speaks any more; where no screen tells of a customer who stays, the next one is another."""
        self._feed.tell("silence")
        if not self._feed.listeners:
            self._session = None
        self.rest()

    def finish(self) -> None:
        """The sentence is over: answer what was heard so far, without waiting for silence."""
        if self._phase != LISTENING:
            return
        for event in self._ear.finish():
            if isinstance(event, Final) and self._take(event):
                return
        self._silence()

    def _take(self, final: Final) -> bool:
        """Answer one sentence; False when no word of it was recognised."""
        if not final.transcript.text:
            return False
        self._loud = loudness(final.audio.samples) or USUAL_LEVEL
        transcript = final.transcript
        if self._woken and self._parts.wakes is not None:  # some say the phrase before every sentence
            rest = self._parts.wakes(transcript.text)
            if rest == "":
                self._until = self._parts.clock() + self._parts.manners().patience
                return False
            transcript = replace(transcript, text=rest or transcript.text)
        self._reply(transcript)
        return True

    def between(self) -> bool:
        """Whether nobody is in the middle of a sentence."""
        return self._phase == IDLE or (self._phase == LISTENING and not self._ear.speaking)

    def answer_shown(self, shown: Shown) -> None:
        """Answer what is shown, and say it; whoever shows it waits no longer, even when that fails."""
        listened = self._phase == LISTENING
        self._ear.drop()
        self._enter(THINKING)
        try:
            reply = shown.answer(self._session, self._language)
            if reply is not None and not self._left_meanwhile(reply):
                shown.reply = reply
        finally:
            self._asked.answered(shown)
        if shown.reply is not None:
            self._tell_reply(shown.reply)
        elif listened:
            self._listen(self._parts.manners().patience)
        else:
            self.rest()

    def _reply(self, transcript: Transcript) -> None:
        self._ear.drop()
        self._ear.forget()  # it has been heard
        self._enter(THINKING)
        reply = self._parts.answer(transcript, self._session, self._language)
        if self._left_meanwhile(reply):
            return
        self._parts.listener("voice_answered", intent=reply.parse.intent.confidence, heard=transcript.confidence)
        self._tell_reply(reply)

    def _left_meanwhile(self, reply: Reply) -> bool:
        """Whoever asked has left: what was answered is nobody's, and the session ends with it."""
        gone = self._asked.gone
        if gone:
            self._parts.end(reply.session)
        return gone

    def _tell_reply(self, reply: Reply) -> None:
        self._session = reply.session
        self._feed.tell("reply", **self._parts.show(reply))
        if self._parts.mouth is not None:
            self._speak(reply.answer.text, reply.answer.language)
        if self._phase in (THINKING, SPEAKING):
            self._after()

    def _after(self) -> None:
        """Whoever came by the wake phrase may go on without it; whoever pressed a key presses it again."""
        if self._woken:
            self._listen(self._parts.manners().follow)
        else:
            self.rest()

    def _speak(self, text: str, language: str) -> None:
        """Say `text` to its end, or until somebody speaks or asks otherwise."""
        if self._parts.mouth is None:
            return
        manners = self._parts.manners()
        try:
            playing = self._parts.mouth.say(text, language)
        except ApplianceError as error:  # the answer stands on the screen; that it is not heard, is said there
            self.fail(error)
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
            self.fail(playing.error)
        if broken:
            self._parts.listener("voice_barge_in")
            self._until = self._parts.clock() + manners.patience
            self._sounded = self._parts.clock()
            self._enter(LISTENING)
        else:
            self._ear.drop()
            self._ear.forget()  # the kiosk's own last words

    def _attend(self, playing: Playing, manners: Manners) -> bool | None:
        """Wait for the end of what is said; True when somebody spoke into it, None when something else was asked."""
        utterances = self._ear.open(self._language) if manners.barge_in else None

        def asked() -> bool:
            return self._asked.waiting or self._closed()

        def took(samples: Samples) -> None:
            self._level(samples)
            if manners.barge_in:
                self._ear.keep(samples)

        enough = needed(self._loud, manners)
        broken = attend(playing, self._parts.ears, utterances, enough, asked=asked, took=took)
        if broken:  # heard anew from just before: what came earlier are the kiosk's own words
            self._ear.anew(self._language)
        if broken is None:
            self._ear.drop()
        return broken

    def _listen(self, patience: float) -> None:
        self._ear.begin(self._language)
        self._until = self._parts.clock() + patience
        self._sounded = self._parts.clock()
        self._enter(LISTENING)
        self._ear.catch_up()

    def forget(self) -> None:
        """Forget what is being said, the session, and the sound that was kept."""
        self._asked.next_customer()
        self._session = None
        self._ear.forget()
        self.rest()

    def rest(self) -> None:
        """Be idle: nobody is being listened to."""
        self._ear.drop()
        self._woken = False
        self._language = "zh"  # that of the wake phrase
        self._enter(IDLE)

    def _enter(self, phase: str) -> None:
        if phase != self._phase:
            self._phase = phase
            self._feed.tell("state", **self.state())

    def _level(self, samples: Samples) -> None:
        now = self._parts.clock()
        if now - self._levelled >= LEVEL_S and self._feed.listeners:
            self._levelled = now
            self._feed.tell("level", peak=round(float(np.abs(samples).max()), 3))
