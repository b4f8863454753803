from __future__ import annotations

import importlib.util
import subprocess
import sys
from importlib.machinery import ModuleSpec

import pytest

from appliance.errors import ApplianceError
from appliance.language.pinyin import Syllables, fold_syllable, read_table


@pytest.mark.parametrize(
    ("reading", "folded"),
    [("zhǐ", "zi"), ("shì", "si"), ("nǚ", "lu"), ("líng", "lin"), ("fēng", "fen"), ("ān", "an"), ("ńg", "lg")],
)
def test_what_southern_speakers_merge(reading: str, folded: str) -> None:
    assert fold_syllable(reading) == folded


def test_equal_sounds_fold_alike(syllables: Syllables) -> None:
    assert syllables.fold("是") == syllables.fold("四")
    assert syllables.fold("牛奶") == syllables.fold("刘来")
    assert syllables.fold("星") == syllables.fold("心")
    assert syllables.fold("退货") == syllables.fold("腿或")
    assert syllables.fold("退货") != syllables.fold("取货")


def test_length_and_other_characters_stay(syllables: Syllables) -> None:
    assert syllables.fold("abc 12，\ue001") == "abc 12，\ue001"
    assert len(syllables.fold("洗衣液在哪")) == 5


def test_every_common_character_has_a_sound(syllables: Syllables) -> None:
    common = (
        "的一是了我不人在他有这上们来到时大地为子中你说生国年着就那和要她出也得里后自以会家可下而过天去能对小多然于心学么之都好看起发当没成只如事把还用第样道想作种开美总"
        "从无情己面最女但现前些所同日手又行意动方期它头经长儿回位分爱老因很给名法间斯知世什两次使身者被高已亲其进此话常与活正感货架厕卫递包裹洗衣液牙膏"
    )
    assert [character for character in common if syllables.fold(character) == character] == []


def test_the_large_package_is_not_imported() -> None:
    program = (
        "import sys; from appliance.language.pinyin import Syllables; Syllables(); print('pypinyin' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    assert read_table()[ord("好")].startswith("hǎo")


@pytest.mark.parametrize("spec", [None, ModuleSpec("pypinyin", None)])
def test_without_the_table_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, spec: ModuleSpec | None
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(ApplianceError, match="expected pypinyin's table of readings") as caught:
        read_table()
    assert "pip install pypinyin" in caught.value.remedy
