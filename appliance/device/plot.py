"""A picture of recorded power as SVG: lines over time, broken where nothing was read, and the hottest place.

Written by these few lines, because matplotlib would be the largest package of the runtime for one picture, and an SVG
opens in every browser, a kiosk's own too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from textwrap import wrap
from xml.sax.saxutils import escape

from appliance.device.recording import LONGEST_GAP_S, Reading, Recording

WIDTH, HEIGHT = 960, 420
LEFT, RIGHT, TOP, BOTTOM = 60, 60, 66, 74
"""Margins, in pixels."""
COLOURS = ("#0b5d56", "#d98a12", "#2f6fb0", "#8a4fa3", "#5c7a29", "#a33b3b", "#607080")
"""Of the whole and then of the rails, which can be told apart by those who see no red or green, too."""
HOT = "#c0392b"
_LETTERS = 130
"""Of a line above the picture."""
_STEPS = (1.0, 2.0, 5.0, 10.0)

Value = Callable[[Reading], float | None]


def draw(recording: Recording, *, gap_s: float = LONGEST_GAP_S, mean_w: float | None = None) -> str:
    """The picture of `recording` as an SVG document. Raises ValueError for one without any power.

    Lines break where neighbours lie more than `gap_s` seconds apart; `mean_w` is the mean in watts where it is known
    better than from these readings.
    """
    watts = [reading.watts for reading in recording.readings if reading.watts is not None]
    if not watts:
        raise ValueError("plot: expected a recording with power, got none")
    seconds = max(recording.readings[-1].seconds, 1e-3)
    degrees = [reading.hottest_c for reading in recording.readings if reading.hottest_c is not None]
    rails = list(dict.fromkeys(rail for reading in recording.readings for rail in reading.rails))
    highest = _ceiling(max(watts + [draw for reading in recording.readings for draw in reading.rails.values()]))
    coldest, hottest = (_floor(min(degrees)), _ceiling(max(degrees))) if degrees else (0.0, 100.0)

    def at(moment: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * moment / seconds

    def up(share: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - min(1.0, max(0.0, share)))

    def line(value: Value, low: float, high: float, colour: str, width: float) -> Iterator[str]:
        for part in _parts(recording.readings, value, gap_s):
            points = " ".join(f"{at(moment):.1f},{up((number - low) / (high - low)):.1f}" for moment, number in part)
            yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"/>'

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        'font-size="12"><rect width="100%" height="100%" fill="white"/>',
    ]
    for number, about in enumerate(wrap(recording.about, _LETTERS)[:2]):
        lines.append(_text(LEFT, 16 + 15 * number, about, anchor="start"))
    for tick in _ticks(0.0, highest):
        y = up(tick / highest)
        lines.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#dddddd"/>')
        lines.append(_text(LEFT - 6, y + 4, f"{tick:g}", anchor="end"))
    lines += [_text(at(tick), HEIGHT - BOTTOM + 18, f"{tick:g}") for tick in _ticks(0.0, seconds)]
    lines.append(_text(LEFT - 6, TOP - 14, "瓦 / W", anchor="end"))
    lines.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 36, "秒 / seconds"))
    if degrees:
        for tick in _ticks(coldest, hottest):
            y = up((tick - coldest) / (hottest - coldest))
            lines.append(_text(WIDTH - RIGHT + 6, y + 4, f"{tick:g}", anchor="start", colour=HOT))
        lines.append(_text(WIDTH - RIGHT + 6, TOP - 14, "°C", anchor="start", colour=HOT))
        lines += line(lambda reading: reading.hottest_c, coldest, hottest, HOT, 1)
    shown = [rail for rail in rails if any(r.rails.get(rail, r.watts) != r.watts for r in recording.readings)]
    for number, rail in enumerate(shown, 1):
        lines += line(lambda reading, rail=rail: reading.rails.get(rail), 0.0, highest, _colour(number), 1)  # type: ignore[misc]
    lines += line(lambda reading: reading.watts, 0.0, highest, COLOURS[0], 2)
    mean = mean_w if mean_w is not None else _mean(recording, watts)
    level = up(mean / highest)
    lines.append(
        f'<path d="M{LEFT} {level:.1f}H{WIDTH - RIGHT}" stroke="{COLOURS[0]}" stroke-dasharray="4 4" fill="none"/>'
    )
    names = [f"合计 / all: 平均 / mean {mean:.2f} W", *shown] + (["最高温度 / hottest"] if degrees else [])
    colours = [COLOURS[0], *(_colour(number) for number in range(1, len(shown) + 1)), HOT]
    lines += _legend(names, colours)
    return "\n".join([*lines, "</svg>\n"])


def _mean(recording: Recording, watts: Sequence[float]) -> float:
    return recording.joules / recording.covered_s if recording.covered_s else sum(watts) / len(watts)


def _parts(readings: Sequence[Reading], value: Value, gap_s: float) -> Iterator[list[tuple[float, float]]]:
    """Stretches of neighbouring readings that have a value and lie close together."""
    part: list[tuple[float, float]] = []
    for reading in readings:
        number = value(reading)
        if part and (number is None or reading.seconds - part[-1][0] > gap_s):
            yield part
            part = []
        if number is not None:
            part.append((reading.seconds, number))
    if part:
        yield part


def _legend(names: Sequence[str], colours: Sequence[str]) -> Iterator[str]:
    x = float(LEFT)
    for name, colour in zip(names, colours, strict=False):
        y = HEIGHT - 16
        yield f'<path d="M{x:.0f} {y - 4}h18" stroke="{colour}" stroke-width="3"/>'
        yield _text(x + 24, y, name, anchor="start")
        x += 40 + sum(13 if ord(letter) > 0x2E80 else 7 for letter in name)


def _text(x: float, y: float, words: str, *, anchor: str = "middle", colour: str = "#222222") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(words)}</text>'


def _colour(number: int) -> str:
    return COLOURS[1 + (number - 1) % (len(COLOURS) - 1)]


def _step(span: float) -> float:
    """A round step of which about five fit into `span`."""
    rough = max(span, 1e-9) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step for step in (power * one for one in _STEPS) if step >= rough * 0.999)


def _ticks(low: float, high: float) -> Iterator[float]:
    step = _step(high - low)
    first = math.ceil(low / step - 1e-9)
    for number in range(first, math.floor(high / step + 1e-9) + 1):
        yield round(number * step, 9)


def _ceiling(value: float) -> float:
    step = _step(max(value, 1.0))
    return math.ceil(max(value, 1e-9) / step + 1e-9) * step


def _floor(value: float) -> float:
    step = _step(max(abs(value), 1.0))
    return math.floor(value / step - 1e-9) * step
