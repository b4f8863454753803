"""One turn in the making: the state as it changes, what happened, and the answer as it grows."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from appliance.dialogue.actions import Actions, Context, Result
from appliance.dialogue.flows import Advance, Line, advance
from appliance.dialogue.scope import Scope
from appliance.dialogue.sessions import Session
from appliance.dialogue.tracker import Change, Filled, SessionState, apply
from appliance.packs.schema import Pack
from appliance.packs.task import Flow
from appliance.values import Answer, Parse, Suggestion, Turn

_MOST_SUGGESTIONS = 8


class Exchange:
    """Collects changes, words, suggestions and data of one turn. Used by one thread, under the session's lock."""

    def __init__(
        self,
        session: Session,
        pack: Pack,
        actions: Actions,
        turn: Turn,
        parse: Parse,
        now: datetime.datetime,
        sure: bool = True,
    ) -> None:
        self.turn, self.parse, self.now = turn, parse, now
        self._sure = sure
        self.pack = pack
        self.state: SessionState = session.state
        self.language = "en" if turn.language == "en" else "zh"
        self.changes: list[Change] = []
        self.hidden: dict[str, str] = {}
        """Further texts that must not be logged, with their masks."""
        self.outcome = "resolved"
        self.intent = parse.intent.name
        self.offered = ""
        self.durable = False
        self._session, self._actions = session, actions
        self._text = ""
        self._data: dict[str, Any] = {}
        self._suggestions: list[Suggestion] = []

    def note(self, kind: str, **payload: Any) -> None:
        """Something happened: change the state by it and keep it for the log."""
        change = Change(kind, payload)
        self.changes.append(change)
        self.state = apply(self.state, change)

    def scope(self, flow: Flow | None, slots: Mapping[str, Filled]) -> Scope:
        """Where names have their values, for a flow with these slots."""
        return Scope(flow, self.language, self.pack.facts, slots)

    def advance(self, flow: Flow, slots: Mapping[str, Filled], skipped: tuple[str, ...], run: int) -> Advance:
        """Run the flow as far as it goes; `run` counts the tasks of the session, for idempotency keys."""

        def act(name: str, arguments: Mapping[str, object], step: str) -> Result:
            # The same step with other arguments is another deed. Hashed: a key may leave the house, its parts may not.
            deed = f"{self._session.name}/{run}/{step}/{sorted(arguments.items(), key=str)}"
            key = hashlib.sha256(deed.encode("utf-8", "surrogatepass")).hexdigest()[:32]
            context = Context(key, self.language, self.now, self.pack.tables, self._sure)
            return self._actions.run(name, arguments, context, self._session.results)

        return advance(flow, self.scope(flow, slots), skipped, act)

    def take(self, progress: Advance) -> None:
        """Take over what a flow said, did and found."""
        self.say_lines(progress.lines)
        self._data.update(progress.data)
        for change in progress.changes:
            self.note(change.kind, **change.payload)
        self.durable = self.durable or progress.durable

    def say(self, response: str, **values: object) -> None:
        """Add one of the policy's own answers."""
        self.say_lines([Line(response, Scope(None, self.language, self.pack.facts, {}, values))])

    def say_lines(self, lines: Iterable[Line]) -> None:
        """Add responses to the answer, with their suggestions."""
        for line in lines:
            response = self.pack.responses[line.response]
            words = line.scope.say(response, self.state.turns)
            between = "" if not self._text else "\n" if line.item else " " if self.language == "en" else ""
            self._text += between + words
            self.suggest(*response.suggest)

    def quote(self, words: str, data: Mapping[str, Any]) -> None:
        """Add words of the pack as they are, with the facts behind them."""
        self._text += ("" if not self._text else " " if self.language == "en" else "") + words
        self._data.update(data)

    def suggest(self, *flows: str) -> None:
        """Offer flows to tap."""
        for name in flows:
            flow = self.pack.flows.get(name)
            if flow is not None:
                tap = flow.tap.said_in(self.language)
                self._suggestions.append(Suggestion(flow.title.said_in(self.language), tap, flow.intents[0]))

    def suggest_words(self, *words: str) -> None:
        """Offer words to tap, which are then understood as if they were said."""
        self._suggestions += [Suggestion(word, word) for word in words]

    def fresh_suggestions(self) -> None:
        """Forget what has been offered so far."""
        self._suggestions.clear()

    def repeat(self) -> bool:
        """Answer as the last time; False when nothing has been said yet."""
        last = self.state.said
        if last is None:
            return False
        self._text, self._data = last.text, dict(last.data)
        self._suggestions = [Suggestion(s["label"], s["text"], s["intent"]) for s in last.suggestions]
        return True

    def answer(self) -> Answer:
        """The finished answer."""
        offered = self._suggestions or [
            Suggestion(s.label.said_in(self.language), s.text.said_in(self.language), s.intent)
            for s in self.pack.suggestions
        ]
        once = tuple({suggestion.label: suggestion for suggestion in offered}.values())[:_MOST_SUGGESTIONS]
        return Answer(
            self._text,
            self.language,
            once,
            self.outcome,
            self.state.task or None,
            self.state.asked or None,
            dict(self._data),
        )
