"""The course of a task: it begins, takes values, asks, ends, gives up, or is left for a moment and resumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from appliance.dialogue import slots
from appliance.dialogue.exchange import Exchange
from appliance.dialogue.flows import Advance, Line, Question, missing
from appliance.dialogue.tables import folded
from appliance.dialogue.tracker import Filled
from appliance.packs.schema import Pack
from appliance.packs.task import Flow

_HUMAN = "human_agent"
_CANCEL = "cancel"


class Course:
    """Moves of tasks, for one pack. Holds no session: everything is in the Exchange."""

    def __init__(self, pack: Pack) -> None:
        self._by_intent = {intent: flow for flow in pack.flows.values() for intent in flow.intents}
        self._by_label = {
            folded(words): flow
            for flow in pack.flows.values()
            for words in (flow.title.zh, flow.title.en, flow.tap.zh, flow.tap.en)
        }

    def flow_of(self, intent: str) -> Flow | None:
        """The flow that an intent starts."""
        return self._by_intent.get(intent)

    def labelled(self, text: str) -> Flow | None:
        """The flow whose button says exactly this: people read buttons aloud."""
        return self._by_label.get(folded(text))

    def begin(self, x: Exchange, flow: Flow) -> None:
        """Start a task with what the turn already says, and with what an earlier task remembered."""
        filled = self._opening(x, flow)
        x.note("task_started", task=flow.name)
        self.fill(x, filled)
        self.go_on(x, flow)

    def asks(self, x: Exchange, flow: Flow) -> bool:
        """True when the flow, begun with this turn, would have to ask for a slot."""
        return missing(flow, x.scope(flow, self._opening(x, flow)), ()) is not None

    def fill(self, x: Exchange, filled: Mapping[str, Filled]) -> None:
        """Take values for slots of the task."""
        for name, value in filled.items():
            x.note("slot_filled", slot=name, **value.payload())

    def go_on(self, x: Exchange, flow: Flow) -> None:
        """Ask the next question, or do what the task is for and end it."""
        progress = x.advance(flow, x.state.slots, x.state.skipped, x.state.tasks)
        if progress.question is None:
            filled = dict(x.state.slots)
            self.end(x, flow, progress.outcome)
            self._finish(x, flow, progress, filled)
        else:
            x.take(progress)
            self._ask(x, flow, progress.question)

    def ask_again(self, x: Exchange, flow: Flow, *, missed: bool = False) -> None:
        """Put the open question once more; `missed` when the answer to it did not fit."""
        progress = x.advance(flow, x.state.slots, x.state.skipped, x.state.tasks)
        if progress.question is not None:
            self._ask(x, flow, progress.question, again=True, missed=missed)

    def miss(self, x: Exchange, flow: Flow) -> None:
        """Count an answer that did not fit; ask again, or hand over when the slot's retries are used up."""
        slot = flow.slot(x.state.asked)
        x.note("slot_missed", slot=slot.name)
        if x.state.attempts > slot.retries:
            self.give_up(x, flow)
        else:
            self.ask_again(x, flow, missed=True)

    def deny(self, x: Exchange, flow: Flow) -> None:
        """The value to confirm is wrong: ask for it anew, or hand over when that has happened too often."""
        slot = flow.slot(x.state.asked)
        x.note("slot_cleared", slot=slot.name)
        if x.state.attempts > slot.retries:
            self.give_up(x, flow)
        else:
            self.go_on(x, flow)

    def give_up(self, x: Exchange, flow: Flow) -> None:
        """End the task and let the flow of `human_agent` hand over."""
        self.end(x, flow, "handed_over")
        x.say("give_up", task=flow.title.said_in(x.language))
        human = self.flow_of(_HUMAN)
        if human is not None:
            self._finish(x, human, x.advance(human, {}, (), x.state.tasks), {})
        x.outcome = "handed_over"

    def digress(self, x: Exchange, flow: Flow, other: Flow) -> None:
        """Another intent in the middle of `flow`: answer it and resume, or let it take the task's place."""
        task = flow.title.said_in(x.language)
        if other.ends_task:
            self.end(x, flow, "abandoned")
            self.begin(x, other)
            return
        filled = self._opening(x, other)
        # Its own idempotency key: turns are counted below zero, where no task is.
        progress = x.advance(other, filled, (), -x.state.turns)
        if progress.question is not None:
            self.end(x, flow, "abandoned")
            x.say("switched", task=task)
            self.begin(x, other)
            return
        x.take(progress)
        self._remember(x, other, filled)
        x.say("resumed", task=task)
        self.ask_again(x, flow)
        x.outcome = progress.outcome

    def end(self, x: Exchange, flow: Flow, outcome: str) -> None:
        """The task is over."""
        x.note("task_ended", task=flow.name, intent=flow.intents[0], outcome=outcome)

    def _opening(self, x: Exchange, flow: Flow) -> dict[str, Filled]:
        blank = replace(x.state, task="", asked="", slots={})
        filled = slots.volunteered(flow, blank, x.turn, x.parse, x.now.date())
        tapped = x.parse.source == "turn" or x.turn.source == "tap"
        for slot in flow.slots:
            known = slot.recall in x.state.memory and slot.name not in filled
            if known and (slot.recall_tapped or not tapped):
                filled[slot.name] = x.state.memory[slot.recall]
        return filled

    def _finish(self, x: Exchange, flow: Flow, progress: Advance, filled: Mapping[str, Filled]) -> None:
        x.take(progress)
        self._remember(x, flow, filled)
        x.outcome = progress.outcome

    def _remember(self, x: Exchange, flow: Flow, filled: Mapping[str, Filled]) -> None:
        for slot in flow.slots:
            if slot.remember and slot.name in filled:
                value = filled[slot.name]
                # What has been confirmed once is not asked about again.
                known = replace(
                    value,
                    sure=value.sure or value.confirmed,
                    confirmed=False,
                    partial=value.partial and not value.confirmed,
                )
                if x.state.memory.get(slot.remember) != known:
                    x.note("remembered", name=slot.remember, **known.payload())

    def _ask(self, x: Exchange, flow: Flow, question: Question, *, again: bool = False, missed: bool = False) -> None:
        slot = flow.slot(question.slot)
        choices = [dict(choice) for choice in question.choices]
        x.note("asked", slot=slot.name, how=question.how, choices=choices, again=again)
        x.fresh_suggestions()
        line = question.line
        if missed and question.how == "slot" and slot.again:
            line = Line(slot.again, line.scope)
        elif missed and question.how == "choose":
            x.say("choose_again")
        x.say_lines([line])
        x.outcome = "pending"
        x.suggest_words(*(choice[x.language] for choice in choices))
        if question.how == "slot":
            x.suggest_words(*(option.label.said_in(x.language) for option in slot.options))
        answers = ("affirm", "deny") if question.how == "confirm" or "yes_no" in slot.types else ()
        for intent in (*answers, _CANCEL):
            answer = self.flow_of(intent)
            if answer is not None:
                x.suggest(answer.name)
