"""What `appliance power --record` writes: power, rails and heat into a CSV file as they are read, then a picture."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from appliance.errors import InvalidInput, SensorUnreadable, StorageFailed, Unavailable

if TYPE_CHECKING:
    from appliance.device.heat import Zone
    from appliance.device.power import Power
    from appliance.device.rails import Rail
    from appliance.device.recording import Reading

NOTHING = (
    "本机没有可读的功率和温度传感器：请在 Jetson 上运行；x86 上 RAPL 计数器仅 root 可读，可用 sudo 运行本命令",
    "No sensor of power or heat can be read here: run it on a Jetson; on x86 only root may read RAPL: try sudo",
)

_ENDS = (signal.SIGINT, signal.SIGTERM)


def record(root: Path, file: Path, seconds: float) -> None:
    """Read power, rails and heat for so long, and never the alarms; each reading is in `file` as soon as it is read.

    Raises InvalidInput and StorageFailed before the first reading for a place that will not do, StorageFailed for a
    disk that fills up (what was written by then stays), Unavailable where there is no power to read.
    """
    from appliance.device.board import recognise
    from appliance.device.heat import find_zones
    from appliance.device.mode import read_modes
    from appliance.device.plot import draw
    from appliance.device.rails import find_rails
    from appliance.device.recording import Recording, Writer
    from appliance.device.source import find_power
    from appliance.device.thinned import Thinned

    if file.suffix.lower() == ".svg":
        raise InvalidInput(f"--record: expected the name of a CSV file, got {file}; the picture is written beside it")
    if not file.parent.is_dir():
        raise InvalidInput(f"--record: expected a folder to write into, got {file.parent}")
    source, rails, zones = find_power(root), find_rails(root), find_zones(root)
    machine, mode = recognise(root), read_modes(root).now or "none"
    about = f"source={source.name} board={machine.family} l4t={machine.l4t} mode={mode} covers={source.covers[1]}"
    if not source.available:
        raise Unavailable(f"--record: expected power, got none ({about})", remedy=NOTHING)
    picture, thinned, joules = file.with_suffix(".svg"), Thinned(), 0.0
    with _storing(file):
        _try(picture)
        with Writer(file, about, [rail.name for rail in rails]) as writer, _ending() as over:
            for reading, more in _readings(source, rails, zones, seconds, over):
                writer.add(reading)
                thinned.add(reading)
                joules += more
    if not thinned.powered:
        raise Unavailable(f"--record: expected power, got none ({about})", remedy=NOTHING)
    with _storing(picture):
        picture.write_text(
            draw(Recording(about, thinned.kept), gap_s=thinned.gap_s, mean_w=thinned.mean_w), encoding="utf-8"
        )
    covered = thinned.covered_s
    mean = f"{joules / covered:.2f} W" if covered else "?"
    typer.echo(f"{file}, {picture}: {covered:.1f} s, {joules:.1f} J, 平均 / mean {mean}（{about}）")


@contextmanager
def _storing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        name = error.filename or path
        raise StorageFailed(
            f"--record: expected to write {name}, got: {error.strerror}",
            remedy=("请换一个可写、有空间的文件夹", "Name a file in a folder that can be written and has room"),
        ) from error


def _try(picture: Path) -> None:
    """Whether the picture will have a place, asked now and not after an hour. Raises OSError."""
    was = picture.exists()
    picture.open("ab").close()
    if not was:
        picture.unlink()


@contextmanager
def _ending() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl+C or the service manager asked for the end; asked a second time, the process ends as it always does.

    A flag and no exception: that could fall into the middle of a line.
    """
    asked: list[int] = []
    before: dict[signal.Signals, Any] = {}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def ask(number: int, _: object) -> None:
        asked.append(number)
        restore()

    try:
        with suppress(ValueError):  # not in the main thread, where no signal arrives
            for number in _ENDS:
                before[number] = signal.signal(number, ask)
        yield lambda: bool(asked)
    finally:
        restore()
    if asked:
        typer.echo("提前结束 / ended early", err=True)


def _readings(
    source: Power, rails: tuple[Rail, ...], zones: tuple[Zone, ...], seconds: float, over: Callable[[], bool]
) -> Iterator[tuple[Reading, float]]:
    """Readings with the joules since the one before, which a counter tells more exactly than its means."""
    from appliance.device.heat import feel
    from appliance.device.meter import EVERY_S
    from appliance.device.recording import Reading

    beside, known = (_watts(rails), feel(zones).hottest_c), False
    began, turn = time.monotonic(), 0
    while (now := time.monotonic()) - began <= seconds and not over():
        watts, joules = None, 0.0
        try:
            span = source.span()
            if span is not None:
                watts, joules, now = span.last, span.joules, span.end
                if not known:
                    yield Reading(max(0.0, span.begin - began), span.first, *beside), 0.0
        except SensorUnreadable as error:
            typer.echo(error.detail, err=True)
        beside = (_watts(rails), feel(zones).hottest_c)
        if turn:
            yield Reading(now - began, watts, *beside), joules
            known = watts is not None
        turn += 1
        time.sleep(max(0.0, began + turn * EVERY_S - time.monotonic()))


def _watts(rails: tuple[Rail, ...]) -> dict[str, float]:
    found = {}
    for rail in rails:
        with suppress(SensorUnreadable):
            found[rail.name] = rail.watts()
    return found
