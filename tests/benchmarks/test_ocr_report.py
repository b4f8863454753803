"""Which results pass, and that each limit can be missed."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest
from rich.console import Console

from benchmarks.ocr.plots import draw
from benchmarks.ocr.report import missed, table, totals


def read(found: int, cpu_s: float, **others: Any) -> dict[str, Any]:
    score = {"characters": 100, "found": found, "confused": 0, "read": 100, "lines": 10, "exact": 9}
    score |= {"recall": found / 100, "surplus": 1 - found / 100, "error_rate": 0.02, "missed": [], "invented": []}
    return {"cpu_s": cpu_s, "wall_s": cpu_s, "stable": True, "stages_ms": {"detect": 9.0}, "score": score} | others


def result(peer: bool = True) -> dict[str, Any]:
    kept = {"90": 1.0, "180": 0.99, "270": None}
    images = [
        {
            "name": name,
            "truth": "eye",
            "sides": {
                "ours-off": read(98, 0.7),
                "ours-on": read(98, 0.8, kept=dict(kept)),
                "peer": read(98, 1.0, kept={"90": 0.5}),
            },
        }
        for name in ("one.jpg", "two.png", "three.png")
    ]
    sides = {side: {"peak_mb": 400.0, "versions": {"onnxruntime": "1"}} for side in ("ours-off", "ours-on", "peer")}
    if not peer:
        del sides["peer"]
        for image in images:
            del image["sides"]["peer"]
    return {"repeats": 3, "sides": sides, "images": images, "totals": totals(images, list(sides))}


def again(changed: dict[str, Any]) -> list[str]:
    changed["totals"] = totals(changed["images"], list(changed["sides"]))
    return missed(changed)


def test_a_good_result_misses_nothing():
    assert missed(result()) == []
    assert missed(result(peer=False)) == []


def test_totals_weigh_characters_and_take_the_median_of_the_ratios():
    changed = result()
    changed["images"][0]["sides"]["ours-on"]["score"] |= {"characters": 300, "found": 100}
    changed["images"][0]["sides"]["ours-on"]["cpu_s"] = 100.0
    found = totals(changed["images"], list(changed["sides"]))["ours-on"]
    assert found["recall"] == pytest.approx(296 / 500)
    assert found["mean_recall"] == pytest.approx(0.98)
    assert found["cpu_ratio"] == 0.8


@pytest.mark.parametrize("side", ["ours-off", "ours-on"])
def test_recall_below_the_peers(side: str):
    changed = result()
    for image in changed["images"]:
        image["sides"][side]["score"]["characters"] = 1000
        image["sides"][side]["score"]["found"] = 978
        image["sides"]["peer"]["score"] |= {"characters": 1000, "found": 980}
        for other in {"ours-off", "ours-on"} - {side}:
            image["sides"][other]["score"] |= {"characters": 1000, "found": 990}
    assert again(changed) == []  # 0.2 points
    changed["images"][0]["sides"][side]["score"]["found"] = 977
    (sentence,) = again(changed)
    assert sentence.startswith(f"{side}: character recall 97.77%")


def test_no_truth_is_a_miss():
    changed = result()
    for image in changed["images"]:
        for side in image["sides"].values():
            del side["score"]
    assert again(changed) == ["no image has a truth: nothing says what was read right"]


@pytest.mark.parametrize("side, most", [("ours-off", 0.75), ("ours-on", 0.85)])
def test_cpu_time(side: str, most: float):
    changed = result()
    for image in changed["images"][:2]:
        image["sides"][side]["cpu_s"] = most
    assert again(changed) == []
    for image in changed["images"][:2]:
        image["sides"][side]["cpu_s"] = most + 0.01
    (sentence,) = again(changed)
    assert sentence.startswith(f"{side}: CPU time is {most + 0.01:.3f} of the peer's in the median, over {most:g}")


def test_memory_is_ours_alone():
    changed = result()
    changed["sides"]["peer"]["peak_mb"] = 900.0
    assert again(changed) == []
    changed["sides"]["ours-on"]["peak_mb"] = 450.5
    (sentence,) = again(changed)
    assert sentence == "ours-on: peak resident memory 450 MB is over 450"


@pytest.mark.parametrize("angle", ["90", "180", "270"])
def test_each_turned_image_counts(angle: str):
    changed = result()
    changed["images"][1]["sides"]["ours-on"]["kept"][angle] = 0.9799
    (sentence,) = again(changed)
    assert sentence.startswith(f"ours-on: two.png turned by {angle}° keeps 98.0%")


def test_a_reading_that_changes():
    changed = result()
    changed["images"][2]["sides"]["ours-off"]["stable"] = False
    assert again(changed) == ["ours-off: three.png was read differently in another repeat"]


@pytest.mark.parametrize("peer", [True, False])
def test_the_table_shows_each_image(peer: bool):
    shown = result(peer)
    del shown["images"][1]["sides"]["ours-on"]["score"]
    out = io.StringIO()
    table(shown, Console(file=out, width=200))
    lines = out.getvalue().splitlines()
    (one,) = (line for line in lines if "one.jpg" in line)
    assert [cell.strip() for cell in one.split("│")][2] == " ·  ".join(["98.0%"] * (3 if peer else 2))
    assert ("0.70 · 0.80" in one) is peer
    assert ("50.0%" in one) is peer
    assert any(line.startswith("ours-off: peak resident memory 400 MB") for line in lines)


@pytest.mark.parametrize("peer", [True, False])
def test_pictures(peer: bool, tmp_path):
    drawn = copy.deepcopy(result(peer))
    names = {path.name for path in draw(drawn, tmp_path / "pictures")}
    assert names == {"ocr-recall.png", "ocr-stages.png", "ocr-turned.png"} | ({"ocr-cpu.png"} if peer else set())
    for name in names:
        picture = (tmp_path / "pictures" / name).read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert 5_000 < len(picture) < 150_000
