"""`appliance ask`: one question, or a conversation, without a server."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Annotated

import typer

from appliance.cli.options import AsJson, Config, Language, served
from appliance.cli.report import joules_json, joules_line
from appliance.errors import InvalidInput
from appliance.values import Reply, Turn


def ask(
    text: Annotated[str | None, typer.Argument(help="问题；不填则进入对话 / The question; none starts a chat.")] = None,
    config: Config = None,
    language: Language = "zh",
    as_json: AsJson = False,
) -> None:
    """提问 / Ask one question, or chat line by line until end of input."""
    from appliance.app.build import build

    chosen, bundle = served(config)
    with build(chosen, senses=(), watching=False, bundle=bundle) as appliance:
        if text is not None:
            _say(appliance.turn(Turn(text, language=language)), as_json)
            return
        session: str | None = None
        for line in sys.stdin:
            if line.strip():
                try:
                    reply = appliance.turn(Turn(line.strip(), language=language), session)
                except InvalidInput as error:  # one bad line must not end the chat
                    typer.echo(f"{error.message}\n  → {error.remedy}", err=True)
                    continue
                session = reply.session
                _say(reply, as_json)


def _say(reply: Reply, as_json: bool) -> None:
    if as_json:
        parse = reply.parse
        shown = {
            "session": reply.session,
            "intent": parse.intent.name,
            "confidence": round(parse.intent.confidence, 3),
            "entities": [{"type": e.type, "text": e.text, "value": e.value} for e in parse.entities],
            "answer": reply.answer.text,
            "outcome": reply.answer.outcome,
            "suggestions": [dataclasses.asdict(s) for s in reply.answer.suggestions],
            "timings_ms": {name: round(ms, 2) for name, ms in reply.timings_ms.items()},
            **joules_json(reply.joules),
        }
        typer.echo(json.dumps(shown, ensure_ascii=False))
        return
    typer.echo(reply.answer.text)
    if reply.answer.suggestions:
        typer.echo("  " + "  ".join(f"[{suggestion.label}]" for suggestion in reply.answer.suggestions))
    if line := joules_line(reply.joules):
        typer.echo(line, err=True)
