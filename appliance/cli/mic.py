"""`appliance mic list | test | record`: the sound devices, whether the microphone hears, and a recording of it."""

from __future__ import annotations

import dataclasses
import json
import time
import wave
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from appliance.cli.exits import Exit
from appliance.cli.options import AsJson
from appliance.errors import InvalidInput, StorageFailed
from appliance.speech.devices import Device, inputs, outputs
from appliance.speech.faults import Lost
from appliance.speech.microphone import Microphone
from appliance.speech.resample import RATE
from appliance.speech.ring import Samples

app = typer.Typer(help="麦克风 / Microphone.", no_args_is_help=True)

Which = Annotated[str, typer.Option("--device", "-d", help="设备名或其一部分 / Device, by name or a part of it.")]
Seconds = Annotated[float, typer.Option("--seconds", "-s", min=0.1, max=3600, help="时长（秒） / Length in seconds.")]

GOOD = "正常 / it hears well"
_BARS = 30
_FLOOR_DB = -60.0
"""Left end of the bar; a quiet room."""
_QUIET_DB, _LOUD_DB = -45.0, -1.0
"""Speech at a counter is louder than the one, and its peaks stay below the other."""
_SHOWN_S = 0.5
_WAIT_S = 10.0
"""Seconds to wait for the first sound."""


@app.command("list")
def list_devices(as_json: AsJson = False) -> None:
    """列出声音设备 / List the sound devices; * marks the default one."""
    heard, played = inputs(), outputs()
    if as_json:
        shown = {"inputs": [dataclasses.asdict(d) for d in heard], "outputs": [dataclasses.asdict(d) for d in played]}
        typer.echo(json.dumps(shown, ensure_ascii=False))
        return
    _print("输入 / inputs", heard)
    _print("输出 / outputs", played)


@app.command("test")
def try_out(device: Which = "", seconds: Seconds = 5.0) -> None:
    """测试麦克风 / Show what the microphone hears, and say whether it will do. Exit code 5 when it will not."""
    levels, peaks = [], []
    with Microphone(device) as microphone:
        until = 0.0
        for heard, _ in _sound(microphone, seconds):
            state = microphone.state
            levels.append(state.level_db)
            peaks.append(state.peak_db)
            if heard >= until:
                until += _SHOWN_S
                typer.echo(f"{heard:6.1f} s  {_bar(state.level_db)}  {state.level_db:6.1f} dB")
        state = microphone.state
    typer.echo(f"{state.device}: {state.rate} Hz, {state.channels} ch")
    typer.echo(f"最高音量 / loudest {max(levels):.1f} dB, 峰值 / peak {max(peaks):.1f} dB")
    typer.echo(f"丢失 / losses {state.overflows}")
    if state.state == "muted" or max(peaks) >= _LOUD_DB or max(levels) < _QUIET_DB:
        typer.echo(state.reason or _advice(max(levels)))
        raise typer.Exit(Exit.NOT_READY)
    typer.echo(GOOD)


@app.command("record")
def record(
    file: Annotated[Path, typer.Argument(help="WAV 文件，16 kHz 单声道 / WAV file to write, 16 kHz mono.")],
    seconds: Seconds = 5.0,
    device: Which = "",
) -> None:
    """录音 / Record what the appliance hears, as it hears it: 16 kHz, one channel, 16 bits."""
    if not file.parent.is_dir():
        raise InvalidInput(f"expected a folder to write into, got {file.parent}")
    with Microphone(device) as microphone:
        pieces = [piece for _, piece in _sound(microphone, seconds)]
        losses = microphone.state.overflows
    samples = np.concatenate(pieces)[: round(seconds * RATE)]
    _write(file, samples)
    typer.echo(f"{file}: {len(samples) / RATE:.1f} s")
    if losses:
        typer.echo(f"录音有 {losses} 处中断 / The recording has {losses} gaps", err=True)


def _sound(microphone: Microphone, seconds: float) -> Iterator[tuple[float, Samples]]:
    """Pieces of sound, each with the seconds heard up to its end, until there are `seconds` of them.

    A fault before the first piece is raised at once, a later one when the microphone does not recover from it.
    """
    heard, patient = 0.0, time.monotonic() + _WAIT_S
    while heard < seconds:
        piece = microphone.read(0.2)
        if len(piece):
            heard += len(piece) / RATE
            patient = time.monotonic() + _WAIT_S
            yield heard, piece
        elif (fault := microphone.fault) and (not heard or time.monotonic() > patient):
            raise fault
        elif time.monotonic() > patient:
            raise Lost(f"microphone: expected sound within {_WAIT_S:g} s, got none, and no reason ({microphone.state})")


def _bar(level_db: float) -> str:
    filled = round(_BARS * min(1.0, max(0.0, 1 - level_db / _FLOOR_DB)))
    return "█" * filled + "·" * (_BARS - filled)


def _advice(loudest_db: float) -> str:
    if loudest_db < _QUIET_DB:
        return (
            "声音太小：请对着麦克风说话，或在 alsamixer 中调高录音音量"
            " / Too quiet: speak to the microphone, or turn its capture level up in alsamixer"
        )
    return "声音过大，已削波：请在 alsamixer 中调低录音音量 / Clipped: turn the capture level down in alsamixer"


def _write(file: Path, samples: Samples) -> None:
    """Write a WAV file in one step: whoever looks finds all of it or what was there before."""
    part = file.with_name(f".{file.name}.part")
    try:
        with wave.open(str(part), "wb") as wav:
            wav.setnchannels(1)
            wav.setsampwidth(2)
            wav.setframerate(RATE)
            wav.writeframes(np.round(np.clip(samples, -1, 32767 / 32768) * 32768).astype("<i2").tobytes())
        part.replace(file)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StorageFailed(f"expected to write {file}, got: {error.strerror}") from error


def _print(title: str, devices: Sequence[Device]) -> None:
    typer.echo(title if devices else f"{title}: 无 / none")
    for device in devices:
        mark = "*" if device.default else " "
        typer.echo(f"  {mark} {device.name}  ({device.host}, {device.channels} ch, {device.rate} Hz)")
