"""Units: readings follow their words, letters are units, and the parts of a unit are those it shares."""

from __future__ import annotations

import numpy as np
import pytest

from export.train.asr import units


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("银行在哪儿", "yin2 hang2 zai4 na3 er"),
        ("重庆", "chong2 qing4"),
        ("绿色女", "lv4 se4 nv3"),
        ("A二三号", "A er4 san1 hao4"),
        ("还有，吗", "hai2 you3 ma5"),
        ("", ""),
    ],
)
def test_readings(text: str, wanted: str) -> None:
    assert " ".join(unit for _, unit in units.read(text)).startswith(wanted)
    assert [character for character, _ in units.read(text)] == [c for c in text if c != "，"]


def test_what_is_said_has_pauses_and_the_names_of_letters() -> None:
    assert units.said("你好，A号绿") == "ni3 hao3, ei1 hao4 lü4"


def test_the_inventory_has_everything_that_is_read_and_nothing_twice() -> None:
    names = units.inventory("银行哪儿绿", ["重庆", "你好A"])
    assert names[0] == units.BLANK
    assert len(set(names)) == len(names)
    assert {"yin2", "hang2", "xing2", "na3", "lv4", "chong2", "qing4", "ni3", "hao3", "A", "Z"} <= set(names)
    assert all(unit in names for _, unit in units.read("重庆你好A"))


def test_parts_are_shared_by_what_sounds_alike() -> None:
    names = (units.BLANK, "ma1", "ma3", "mi3", "lv4", "A")
    table = units.parts(names)
    shared = table @ table.T
    assert shared[1, 2] == 3, "initial, final and syllable"
    assert shared[2, 3] == 2, "initial and tone"
    assert shared[1, 4] == 0
    assert np.array_equal(np.diag(shared), [1, 6, 6, 6, 6, 1])
