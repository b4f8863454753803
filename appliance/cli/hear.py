"""`appliance hear`: hear one recording, as text with times or JSON, and what the appliance answers to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from appliance.cli.options import AsJson, Config, Language, served
from appliance.cli.report import joules_json, joules_line
from appliance.errors import InvalidInput
from appliance.speech.asr import join_words
from appliance.values import Reply, Segment, Transcript, Word

WHOLE = (
    "未安装语音活动检测，整段录音都当作说话 / Without silero-vad the whole recording counts as speech\n"
    "  → appliance models pull silero-vad"
)


def hear(
    recording: Annotated[
        Path, typer.Argument(help="录音文件，8 至 96 kHz 的 WAV / WAV file, 8 to 96 kHz, PCM or float.")
    ],
    config: Config = None,
    language: Language = "zh",
    as_json: AsJson = False,
) -> None:
    """听写一段录音 / Hear a recording: when somebody spoke, which words, and the answer to them."""
    from appliance.app.build import build

    chosen, bundle = served(config)
    try:
        with recording.open("rb") as file:
            data = file.read(chosen.max_audio_bytes + 1)  # one more, so that too many are refused as such
    except OSError as error:
        raise InvalidInput(f"expected a readable recording, got {recording}: {error.strerror}") from error
    with build(chosen, senses=("asr",), watching=False, bundle=bundle) as appliance:
        reply = appliance.hear(data, language=language)
    heard = reply.transcript
    if heard is None:
        raise AssertionError("a recording was answered without its transcript")
    if "vad" not in heard.timings_ms:
        typer.echo(WHOLE, err=True)
    if as_json:
        typer.echo(json.dumps(_json(heard, reply), ensure_ascii=False))
        return
    for segment, words in _spoken(heard):
        typer.echo(f"{segment.start:6.2f} – {segment.end:6.2f} s  {_sure(words):4.0%}  {_text(words)}")
    typer.echo(f"→ {reply.answer.text}")
    if line := joules_line(reply.joules):
        typer.echo(line, err=True)


def _spoken(heard: Transcript) -> list[tuple[Segment, list[Word]]]:
    """Each stretch of speech with its words; one in which no word was recognised has none."""
    return [
        (segment, [word for word in heard.words if segment.start <= word.start and word.end <= segment.end])
        for segment in heard.segments
    ]


def _text(words: list[Word]) -> str:
    return join_words([word.text for word in words])


def _sure(words: list[Word]) -> float:
    return sum(word.confidence for word in words) / len(words) if words else 0.0


def _json(heard: Transcript, reply: Reply) -> dict[str, object]:
    return {
        "text": heard.text,
        "confidence": round(heard.confidence, 4),
        "language": heard.language,
        "segments": [
            {
                "start": round(segment.start, 3),
                "end": round(segment.end, 3),
                "text": _text(words),
                "confidence": round(_sure(words), 4),
                "words": [
                    {
                        "text": word.text,
                        "start": round(word.start, 3),
                        "end": round(word.end, 3),
                        "confidence": round(word.confidence, 4),
                    }
                    for word in words
                ],
            }
            for segment, words in _spoken(heard)
        ],
        "seconds": round(heard.seconds, 3),
        "engine": heard.engine,
        "intent": reply.parse.intent.name,
        "answer": reply.answer.text,
        "timings_ms": {name: round(ms, 1) for name, ms in heard.timings_ms.items()},
        **joules_json(reply.joules),
    }
