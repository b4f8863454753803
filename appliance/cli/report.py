"""The machine and its features as lines for eyes: a mark, a name, what serves it, and what to do about what is off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import typer
from rich.cells import cell_len

from appliance.app.programs import Finding
from appliance.values import Feature, Joules

TITLES = {
    "language": "语言理解",
    "dialogue": "对话",
    "ocr": "文字识别",
    "vad": "人声检测",
    "asr": "语音识别",
    "microphone": "麦克风",
    "speech": "语音播报",
}
STATES = {"ready": "就绪 / ready", "fallback": "备用 / fallback", "off": "关闭 / off", "failed": "失败 / failed"}
MARKS = {
    "ready": typer.style("✓", fg=typer.colors.GREEN),
    "fallback": typer.style("!", fg=typer.colors.YELLOW),
    "off": typer.style("✗", fg=typer.colors.YELLOW),
    "failed": typer.style("✗", fg=typer.colors.RED),
}


def machine_lines(found: Iterable[Finding]) -> Iterator[str]:
    """One line for each finding, and one for its remedy."""
    for finding in found:
        mark = MARKS["ready" if finding.ok else "off"]
        yield f"  {mark} {_pad(finding.name, 14)} {finding.detail}"
        if finding.remedy:
            yield f"      → {finding.remedy}"


def feature_lines(features: Iterable[Feature], *, details: bool = False) -> Iterator[str]:
    """One line for each feature; below it the reason, where it is not simply ready or `details` asks."""
    for feature in features:
        served = feature.backend if feature.backend != "none" else STATES[feature.state]
        models = ", ".join(model.split("@")[0] for model in feature.models)
        plain = feature.state == "ready" and not details
        what = models or (feature.reason if plain else "")
        name = f"{_pad(TITLES.get(feature.name, ''), 8)} {_pad(feature.name, 8)}"
        yield f"  {MARKS[feature.state]} {name} {_pad(served, 16)} {what}".rstrip()
        if not plain:
            yield from (f"      {part}" for part in feature.reason.splitlines())


def joules_json(joules: Joules | None) -> dict[str, object]:
    """`joules` for the JSON of an answer; nothing where power is not measured."""
    if joules is None:
        return {}
    stages = {name: None if value is None else round(value, 3) for name, value in joules.stages.items()}
    total = None if joules.total is None else round(joules.total, 3)
    return {"joules": {"total": total, "stages": stages, "net": joules.net, "source": joules.source}}


def joules_line(joules: Joules | None) -> str:
    """The same for eyes; empty where power is not measured."""
    if joules is None:
        return ""
    if joules.total is None:
        return f"能耗 / energy: 太短，尚未测得 / too short to be measured yet ({joules.source})"
    rest = "不含待机 / without the idle board" if joules.net else "含待机 / with the idle board"
    return f"能耗 / energy: {joules.total:.2f} J（{rest}，{joules.source}）"


def _pad(text: str, cells: int) -> str:
    """Fill up to `cells` columns of a terminal, where a Chinese character takes two."""
    return text + " " * (cells - cell_len(text))
