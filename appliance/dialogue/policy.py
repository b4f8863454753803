"""The dialogue as the appliance uses it: sessions that open, answer turns one at a time, and are forgotten."""

from __future__ import annotations

import datetime
import time as clocks
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Protocol

from appliance.dialogue.actions import Action, Actions, HandOver, Ticket
from appliance.dialogue.course import Course
from appliance.dialogue.decide import Decider
from appliance.dialogue.exchange import Exchange
from appliance.dialogue.figures import AGE, HOURS, TARIFF
from appliance.dialogue.photos import Photos
from appliance.dialogue.privacy import loggable, mask, of_changes, of_entities, of_slots
from appliance.dialogue.sessions import Session, Sessions
from appliance.dialogue.tables import LOOKUP, SEARCH
from appliance.dialogue.tracker import Change, SessionState, apply
from appliance.language.redact import PERSONAL
from appliance.listener import Listener, silent
from appliance.packs.schema import Pack
from appliance.records.events import EventLog
from appliance.values import Answer, Parse, Turn


class ParserLike(Protocol):
    """What the dialogue needs of the parser: other readings of a turn are parsed when the first gives nothing."""

    def parse(self, turn: Turn) -> Parse:
        """What a turn means."""


def built_in(events: EventLog, listener: Listener = silent) -> tuple[Action, ...]:
    """The actions that come with the appliance."""
    return (LOOKUP, SEARCH, AGE, HOURS, TARIFF, Ticket(events), HandOver(listener))


class Dialogue:
    """Answers turns. Thread-safe: turns of one session wait for each other, those of different sessions do not.

    `sessions` is how many are kept at once, `idle_s` after how many seconds one is forgotten, `clock` gives seconds
    since 1970 for records and dates, `sure_of_time` whether they can be right, `monotonic` seconds for idle times; an
    intent less confident than `sure` is asked back. The listener hears `outcome` (outcome, intent) for every turn and
    for every task that was abandoned.
    """

    def __init__(
        self,
        pack: Pack,
        parser: ParserLike,
        events: EventLog,
        *,
        idle_s: float,
        sessions: int,
        clock: Callable[[], float] = clocks.time,
        sure_of_time: Callable[[], bool] = lambda: True,
        listener: Listener = silent,
        monotonic: Callable[[], float] = clocks.monotonic,
        sure: float = 0.5,
        actions: Iterable[Action] | None = None,
    ) -> None:
        self._pack, self._events, self._clock, self._listener = pack, events, clock, listener
        self._sure_of_time = sure_of_time
        self._sessions = Sessions(sessions, idle_s, monotonic)
        self._actions = Actions(built_in(events, listener) if actions is None else actions, listener=listener)
        course = Course(pack)
        self._decider = Decider(pack, course, parser.parse, sure)
        self._photos = Photos(pack, course)

    def open(self, session: str | None, language: str = "zh") -> str:
        """Name of the session to use: the one given if it is open, else a new one."""
        known = self._sessions.find(session)
        if known is not None:
            return known.name
        fresh, gone = self._sessions.start()
        for old in gone:
            self._forget(old, "evicted")
        opened = Change("opened", {"language": language})
        with fresh.lock:
            fresh.state = apply(fresh.state, opened)
            fresh.unlogged.append(opened)
        return fresh.name

    def respond(self, session: str, turn: Turn, parse: Parse) -> Answer:
        """Answer a turn of a session that `open` has named; raises InvalidInput for any other name."""
        while True:
            current = self._sessions.find(session)
            if current is None:
                # Gone since `open` named it, or idle too long: nothing of it may be carried on.
                self._drop(session, "idle")
                current = self._sessions.adopt(session)
            with current.lock:
                # It may have been ended while this turn waited for the lock; then a new one takes its name.
                if not current.state.ended:
                    return self._answer(current, turn, parse)

    def end(self, session: str) -> bool:
        """Forget a session and everything in it; False when there was none."""
        return self._drop(session, "ended")

    def _drop(self, session: str, reason: str) -> bool:
        gone = self._sessions.drop(session)
        if gone is not None:
            self._forget(gone, reason)
        return gone is not None

    def sweep(self) -> int:
        """Forget sessions that have been idle too long, and look after the log; returns how many went."""
        gone = self._sessions.expired()
        for session in gone:
            self._forget(session, "idle")
        self._events.maintain()
        return len(gone)

    def state(self, session: str) -> SessionState | None:
        """State of an open session, or None."""
        found = self._sessions.find(session)
        if found is None:
            return None
        with found.lock:
            return found.state

    @property
    def open_sessions(self) -> int:
        """How many sessions are open."""
        return len(self._sessions)

    def close(self) -> None:
        """Forget all sessions and stop."""
        for session in self._sessions.all():
            self._forget(session, "closed")
        self._actions.close()

    def _answer(self, session: Session, turn: Turn, parse: Parse) -> Answer:
        now = datetime.datetime.fromtimestamp(self._clock())
        x = Exchange(session, self._pack, self._actions, turn, parse, now, self._sure_of_time())
        x.note("turn", **_described(turn, parse))
        (self._photos if turn.source == "image" else self._decider).respond(x)
        answer = x.answer()
        suggestions = [{"label": s.label, "text": s.text, "intent": s.intent} for s in answer.suggestions]
        x.note("answered", text=answer.text, suggestions=suggestions, data=answer.data, offered=x.offered)
        x.note("outcome", outcome=x.outcome, intent=x.intent)
        session.secrets.update(of_slots((*session.state.slots.values(), *x.state.slots.values())))
        session.secrets.update(of_entities((*turn.entities, *parse.entities, *parse.personal)))
        session.secrets.update(of_changes(x.changes))
        session.secrets.update(x.hidden)
        session.state = x.state
        if not x.state.task:
            session.results.clear()
        changes, session.unlogged = [*session.unlogged, *x.changes], []
        self._events.append_many(session.name, loggable(changes, session.secrets), durable=x.durable)
        self._report(x)
        return replace(answer, outcome=x.outcome)

    def _report(self, x: Exchange) -> None:
        for change in x.changes:
            if change.kind == "task_ended" and change.payload["outcome"] == "abandoned" and x.outcome != "abandoned":
                self._listener("outcome", outcome="abandoned", intent=change.payload["intent"])
        self._listener("outcome", outcome=x.outcome, intent=x.intent)

    def _forget(self, session: Session, reason: str) -> None:
        with session.lock:
            state, session.state = session.state, SessionState(ended=True)
            session.results.clear()
            session.secrets.clear()
            unlogged, session.unlogged = session.unlogged, []
        if not state.turns:
            return
        changes = [*unlogged]
        if state.task:
            intent = self._pack.flows[state.task].intents[0]
            changes.append(Change("task_ended", {"task": state.task, "intent": intent, "outcome": "abandoned"}))
            changes.append(Change("outcome", {"outcome": "abandoned", "intent": intent}))
            self._listener("outcome", outcome="abandoned", intent=intent)
        changes.append(Change("ended", {"reason": reason}))
        self._events.append_many(session.name, loggable(changes, {}))


def _described(turn: Turn, parse: Parse) -> dict[str, Any]:
    """A turn for the log: its words unless they come from a photo, and what was found in it."""
    image = turn.source == "image"
    entities = [
        {"type": entity.type, "value": mask(entity.type) if image or entity.type in PERSONAL else entity.value}
        for entity in parse.entities
    ]
    return {
        "text": mask("photo") if image else turn.text,
        "source": turn.source,
        "language": "en" if turn.language == "en" else "zh",
        "confidence": round(turn.confidence, 4),
        "intent": parse.intent.name,
        "intent_confidence": round(parse.intent.confidence, 4),
        "intent_source": parse.source,
        "entities": entities,
    }
