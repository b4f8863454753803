"""The store pack's parser, compiled once, on a fixed day."""

from __future__ import annotations

import numpy as np
import pytest
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors

from appliance.language.classify import Classifier, Labels
from appliance.language.clean import Cleaner
from appliance.language.faq import Weighing
from appliance.language.lexicon import Lexicon
from appliance.language.parse import Minds, Parser
from appliance.language.pinyin import Syllables
from appliance.language.tagger import Alphabet, Tagger
from appliance.language.tokenise import Tokeniser
from appliance.language.viterbi import Transitions
from appliance.packs.compile import find_pack, load_pack
from appliance.packs.reader import read_csv
from appliance.packs.schema import Pack
from appliance.packs.vocabulary import load_lexicon
from tests.language.fake_minds import (
    CLASSIFIER,
    TAGGED,
    TAGGER,
    TAGS,
    TODAY,
    FakeTagging,
    FakeUnderstanding,
    Thinking,
    frequent,
)


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


@pytest.fixture(scope="session")
def pack() -> Pack:
    return load_pack("store")


@pytest.fixture(scope="session")
def tokeniser(pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> Tokeniser:
    """One piece for each character that the pack's questions hold."""
    letters = sorted({c for row in pack.faq for way in row.ways for c in way.lower()})
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *letters]
    tokenizer = Tokenizer(models.WordLevel({piece: at for at, piece in enumerate(pieces)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    tokenizer.save(str(path))
    return Tokeniser(path, 64)


@pytest.fixture(scope="session")
def plain(pack: Pack) -> Parser:
    """The same pack without any network."""
    return Parser(pack.lexicon, today=lambda: TODAY)


@pytest.fixture(scope="session")
def built(pack: Pack, tokeniser: Tokeniser) -> Thinking:
    names = pack.lexicon.intent_names
    understanding, tagging = FakeUnderstanding(names), FakeTagging()
    labels = Labels("store", names, ("neg", "neu", "pos"), 1.0, 1.0, 64)
    classifier = Classifier(understanding, tokeniser, labels)
    free = (np.zeros(shape, np.float32) for shape in (len(TAGS), len(TAGS), (len(TAGS), len(TAGS))))
    alphabet = Alphabet({"0": 2}, TAGS, Transitions(*free), 128)
    tagger = Tagger(tagging, alphabet, pack.lexicon.entity_types)
    faq = frequent(pack, classifier, Weighing(0.5, -4.0, 4.0, 5.0, 4.0, -3.0))
    minds = Minds(classifier, tagger, faq, {"classifier": CLASSIFIER, "tagger": TAGGER})
    return Thinking(Parser(pack.lexicon, lambda: TODAY, minds), understanding, tagging)


@pytest.fixture
def thinking(built: Thinking) -> Thinking:
    """Compiled once; every test finds the fakes as new."""
    built.understanding.chances, built.understanding.error, built.understanding.runs = {}, None, 0
    built.understanding.moods = (0.0, 1.0, 0.0)
    built.tagging.spans, built.tagging.error, built.tagging.strength = (), None, 16.0
    built.tagging.shown.clear()
    return built


@pytest.fixture
def judging(thinking: Thinking, monkeypatch: pytest.MonkeyPatch) -> Thinking:
    """The tagger was trained on this very pack: what it does not mark of its types is none."""
    monkeypatch.setattr(thinking.parser._minds.tagger, "judges", frozenset(TAGGED))
    return thinking
