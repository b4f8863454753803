from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.language.sounds import FAR, Sounds, apart, classes, parts, toneless

_WRITTEN = """
a ai an ang ba bo bian bing cai can cang cen ce cha chan chang chen chi chuan ci cong da dan dao de di
dian dong du en er fa fan fang fei fen feng fu gan gang ge gei gong gu guan guang ha han hang hei hen
heng hong hu hua huan huang hui hun huo ji jia jian jiang jie jin jing ju juan jue jun ka kan ke kong ku
lai lan lang lei li lian liang lin ling liu long lu luo lü lüe ma mian mo na nai nan nang nei nen neng
ni nian niang nin ning niu nong nu nuo nü nüe o ou pai pan pin ping po qi qian qiang qin qing qu quan
que qun ran rang ren reng ri rong ru ruan san sang se sen seng sha shan shang she shen sheng shi shou
shu shuan shui si song su suan sui ta tan tang ti tian tu tuan wan wang wei wen weng wo wu xi xian xiang
xin xing xu xuan xue xun ya yan yang ye yi yin ying yong you yu yuan yue yun za zan zang ze zen zeng zha
zhan zhang zhe zhen zheng zhi zhong zhu zhuan zhui zi zong zu zui zun
"""
SYLLABLES = _WRITTEN.split()


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [
        ("zhi", "zi", 0.2),
        ("chan", "can", 0.2),
        ("shang", "san", 0.4),
        ("nai", "lai", 0.2),
        ("ping", "pin", 0.2),
        ("fa", "hua", 0.2),
        ("fei", "hui", 0.2),
        ("fu", "hu", 0.2),
        ("fang", "huan", 0.4),
        ("ri", "li", 0.4),
        ("bo", "po", 0.4),
        ("yu", "yi", 0.4),
        ("ju", "ji", 0.4),
        ("ma", "mi", FAR),
        ("shan", "tian", FAR),
        ("niu", "liu", 0.2),
        ("yan", "yang", 0.2),
        ("gu", "gu", 0.0),
    ],
)
def test_distances(one: str, other: str, distance: float) -> None:
    assert apart(one, other) == pytest.approx(distance)


@given(st.sampled_from(SYLLABLES), st.sampled_from(SYLLABLES))
def test_the_distance_is_the_same_either_way(one: str, other: str) -> None:
    assert apart(one, other) == apart(other, one)
    assert 0 <= apart(one, other) <= FAR
    assert (apart(one, other) == 0) == (one == other)


def test_near_syllables_share_a_class() -> None:
    of = classes()
    for one, other in itertools.combinations(SYLLABLES, 2):
        if apart(one, other) < FAR:
            assert of(one) == of(other), (one, other)
    assert len({of(syllable) for syllable in SYLLABLES}) > 25  # or the index would find everything everywhere


def test_readings() -> None:
    sounds = Sounds()
    assert toneless("nǚ") == "nü"
    assert toneless("zhǐ") == "zhi"
    assert set(sounds.of("长")) == {"chang", "zhang"}
    assert sounds.of("a") == ()
    assert sounds.between("风", "丰") == 0
    assert sounds.between("张", "长") == 0  # any reading of what is meant
    assert sounds.between("a", "长") == FAR
    assert sounds.texts("平果", "苹果") == 0
    assert parts("yu") == ("", "ü")
    assert parts("wang") == ("", "uang")
    assert parts("ju") == ("j", "ü")
