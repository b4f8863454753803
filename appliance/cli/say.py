"""`appliance say`: speak one text through the loudspeaker, or into a WAV file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from appliance.cli.options import Config, Language, settings
from appliance.errors import InvalidInput, StorageFailed
from appliance.speech.encode import wav
from appliance.speech.speaker import Speaker
from appliance.speech.tts.engines import candidates
from appliance.speech.tts.reading import plainly, spoken
from appliance.speech.tts.voice import chosen, sentences


def say(
    text: Annotated[str, typer.Argument(help="要说的话 / What to say.")],
    config: Config = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="写入 WAV 文件而不播放 / Write a WAV file instead of playing.")
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", "-d", help="扬声器名称 / Name of the loudspeaker, or a part of it.")
    ] = None,
    language: Language = "zh",
) -> None:
    """朗读一段文字 / Speak a text, figures and all, and print how it is read and by which voice."""
    wanted = settings(config, speaker=device)
    if not spoken(text, language):
        raise InvalidInput(f"expected a text with words in it, got {text[:40]!r}")
    started = time.monotonic()
    voice = chosen(candidates(wanted.speech_engine, wanted.speech_voice), language)
    typer.echo(f"{voice.name}: {plainly(spoken(text, language))}", err=True)
    try:
        if out is not None:
            audio = voice.say(text, language)
            try:
                out.write_bytes(wav(audio))
            except OSError as error:
                raise StorageFailed(f"expected a file that can be written, got {out}: {error.strerror}") from error
            typer.echo(f"{out}: {audio.seconds:.2f} s, {audio.rate} Hz ({time.monotonic() - started:.2f} s)", err=True)
            return
        with Speaker(wanted.speaker, wanted.speaker_volume) as speaker:
            playing = speaker.play(sentences(voice, text, language))
            playing.wait()
            if playing.error is not None:
                raise playing.error
    finally:
        voice.close()
