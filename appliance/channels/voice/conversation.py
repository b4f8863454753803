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
from collections.abc import Callable

from appliance.channels.voice.asked import Answer, Asked
from appliance.channels.voice.feed import Event, Feed
from appliance.channels.voice.manners import Manners
from appliance.channels.voice.parts import Answers, Ears, Mouth, Parts, Shows, Wakes
from appliance.channels.voice.turns import THINKING, Turns
from appliance.errors import ApplianceError, Unavailable
from appliance.listener import Listener, silent
from appliance.speech.listen import Utterances
from appliance.trail import trail
from appliance.values import Reply

log = logging.getLogger(__name__)

BLOCK_S = 0.1
"""Longest wait for sound, and so for what others ask meanwhile."""


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
        self.feed = Feed()
        self._ears = ears
        self._asked = Asked()
        self._closed = threading.Event()
        parts = Parts(ears, hear, answer, show, mouth, wakes, manners, end, allowed, listener, clock)
        self._turns = Turns(parts, self.feed, self._asked, self._closed.is_set)
        self._thread = threading.Thread(target=self._run, name="voice", daemon=True)

    @property
    def phase(self) -> str:
        """`idle`, `listening`, `thinking` or `speaking`."""
        return self._turns.phase

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
        self._asked.ask(lambda: self._turns.begin(session, language))

    def finish(self) -> None:
        """The sentence is over: answer what was heard so far, without waiting for silence. Breaks off what is said."""
        if self._turns.phase != THINKING:  # a second tap is not meant for the answer that is about to come
            self._asked.ask(self._turns.finish)

    def attend(self, session: str | None, language: str) -> None:
        """The next sentence, or what is shown, belongs to `session` and is answered in `language`, unless one is on."""
        self._asked.ask(lambda: self._turns.turn_to(session, language))

    def show(self, answer: Answer, stopped: Callable[[], bool] = lambda: False) -> Reply | None:
        """Answer what somebody shows, and say it aloud; waits until it is answered, and for a sentence to be over.

        The kiosk's own words are broken off for it. None when no turn came of it, the conversation has ended, or
        `stopped` said so before its turn had come.
        """
        return self._asked.show(answer, self._thread.is_alive, stopped)

    def cancel(self) -> None:
        """Forget what is being said, fall silent, and forget the session."""
        self._asked.leave(self._turns.forget)

    def state(self) -> dict[str, object]:
        """What the page shows: the phase, and whether speaking breaks off the kiosk's words."""
        return self._turns.state()

    def first(self) -> Event:
        """What a listener who comes now has to know."""
        return Event("state", self.state())

    def _run(self) -> None:
        try:
            while not self._closed.is_set():
                self._guarded(self._round)
        finally:
            self._turns.drop()
            self._asked.end()

    def _guarded(self, work: Callable[[], None]) -> None:
        """A round that fails is said, and the conversation begins anew: nobody at the counter restarts a process."""
        try:
            work()
        except ApplianceError as error:
            self._turns.fail(error)
            self._turns.rest()
        except Exception as error:  # noqa: BLE001 - nobody at the counter restarts a process for one failed turn
            log.error("voice: %s", trail(error))  # without its message, which may hold a customer's words
            self._turns.deafen()
            self._turns.fail(ApplianceError("voice: expected a turn to end well, got a defect; the log has it"))
            self._turns.rest()

    def _round(self) -> None:
        while (what := self._asked.next()) is not None:
            what()  # one by one: where one fails, the others still come
        shown = self._asked.begin(self._turns.between)
        if shown is not None:
            self._turns.answer_shown(shown)
        self._turns.took(self._ears.read(BLOCK_S))
