"""The store pack's parser, compiled once, on a fixed day."""

from __future__ import annotations

from datetime import date

import pytest

from appliance.language.clean import Cleaner
from appliance.language.lexicon import Lexicon
from appliance.language.parse import Parser
from appliance.language.pinyin import Syllables
from appliance.packs.compile import find_pack
from appliance.packs.reader import read_csv
from appliance.packs.vocabulary import load_lexicon

TODAY = date(2026, 11, 22)


@pytest.fixture(scope="session")
def lexicon() -> Lexicon:
    folder = find_pack("store")
    return load_lexicon(folder, {path.stem: read_csv(path) for path in folder.glob("*.csv")})


@pytest.fixture(scope="session")
def parser(lexicon: Lexicon) -> Parser:
    return Parser(lexicon, today=lambda: TODAY)


@pytest.fixture(scope="session")
def cleaner() -> Cleaner:
    return Cleaner()


@pytest.fixture(scope="session")
def syllables() -> Syllables:
    return Syllables()
