"""`appliance bench`: how fast this machine answers and reads, measured in the process itself."""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from appliance.channels.door import Door
from appliance.cli.options import AsJson, Config, served
from appliance.values import Turn

QUESTIONS = ("你好", "洗衣液在哪个货架", "厕所在哪里", "帮我查一下快递到哪了", "取消", "几点关门", "牛奶多少钱")


def bench(
    config: Config = None,
    turns: Annotated[int, typer.Option(min=10, max=10_000, help="文字轮次 / Text turns to time.")] = 200,
    images: Annotated[int, typer.Option(min=0, max=100, help="识别次数 / Times to read each case picture.")] = 2,
    as_json: AsJson = False,
) -> None:
    """测速 / Time text turns and the OCR model's own case pictures on this machine."""
    from appliance.app.build import build
    from appliance.artifacts.manifest import shipped_root

    results: list[dict[str, object]] = []
    chosen, bundle = served(config)
    with build(chosen, senses=("ocr", "asr"), watching=False, bundle=bundle) as appliance:
        session = appliance.turn(Turn(QUESTIONS[0])).session

        def answer(number: int) -> None:
            appliance.turn(Turn(QUESTIONS[number % len(QUESTIONS)]), session)

        results.append(_time("text turn", answer, turns, quiet=as_json))
        for picture in _pictures(shipped_root()) if images else ():
            reading = partial(_read, appliance, picture.read_bytes())
            results.append(_time(f"read {picture.name}", reading, images, quiet=as_json))
        backends = {feature.name: feature.backend for feature in appliance.features()}
    if as_json:
        typer.echo(json.dumps({"machine": platform.platform(), "backends": backends, "results": results}))
        return
    table = Table("", "n", "p50 ms", "p95 ms", "max ms", title=f"{platform.machine()} {backends}")
    for row in results:
        table.add_row(*(str(row[key]) for key in ("name", "n", "p50_ms", "p95_ms", "max_ms")))
    Console().print(table)


def _read(appliance: Door, picture: bytes, _number: int) -> None:
    appliance.read(picture)


def _pictures(root: Path) -> list[Path]:
    cases = root / "pp-ocrv6-small" / "cases"
    found = (path for path in cases.iterdir() if path.suffix in (".png", ".jpg"))
    return sorted(path for path in found if not path.name.startswith("line-"))


def _time(name: str, work: Callable[[int], object], times: int, *, quiet: bool) -> dict[str, object]:
    taken = []
    for number in track(range(times), description=name, disable=quiet, transient=True):
        begin = time.perf_counter()
        work(number)
        taken.append((time.perf_counter() - begin) * 1000)
    taken.sort()
    p95 = taken[min(len(taken) - 1, round(len(taken) * 0.95))]
    return {
        "name": name,
        "n": times,
        "p50_ms": round(statistics.median(taken), 2),
        "p95_ms": round(p95, 2),
        "max_ms": round(taken[-1], 2),
    }
