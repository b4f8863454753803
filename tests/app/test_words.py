"""What understands words, built from small real models, and what is left where they are missing, broken or fail."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import yaml

from appliance.app.networks import Networks
from appliance.app.vectors import kept
from appliance.app.words import Words, build_words
from appliance.artifacts.manifest import Manifest
from appliance.inference.scheduler import Scheduler
from appliance.language.faq import FaqRow
from appliance.language.lexicon import IntentRule, Lexicon
from appliance.language.parse import Parser
from appliance.packs.compile import load_pack
from appliance.packs.schema import Localised, Pack
from appliance.settings import Settings
from appliance.values import Turn
from tests.app.test_derive import CASES, MEANINGS, Heard, shelf, tagging, understanding

CPU = Settings(backends=("onnxruntime-cpu",), onnxruntime_threads=1)
ROWS = (
    FaqRow(
        "hours",
        {"zh": "几点关门", "en": "When do you close?"},
        {"zh": "十点。", "en": "At ten."},
        ("几点关门", "几时打烊"),
    ),
    FaqRow(
        "wash",
        {"zh": "哪里洗手", "en": "Where to wash?"},
        {"zh": "二楼。", "en": "Upstairs."},
        ("哪里洗手", "想洗手间"),
    ),
)
ASKED = "几点关门时打烊哪里洗手想间"
SAME = tuple(IntentRule(name, sentences=(characters,)) for name, characters in MEANINGS.items())
OTHER = (
    IntentRule("loo", sentences=("厕所在哪", "手间在哪里", "手间呢")),
    IntentRule("hello", sentences=("你好", "早上好呀", "早早早")),
)


def pack_of(*intents: IntentRule, faq: tuple[FaqRow, ...] = ROWS, name: str = "tiny") -> Pack:
    """A small pack that sells milk."""
    title = Localised("小店", "Shop")
    lexicon = Lexicon(intents or SAME, entity_types=("product",))
    return Pack(name, title, title, (), lexicon, faq=faq)


Build = Callable[..., tuple[Words, Networks]]


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def build(tmp_path: Path, heard: Heard) -> Iterator[Build]:
    """Build words from what is installed under tmp_path, as a fresh start does; wait until the questions are learnt."""
    with ExitStack() as closing:

        def start(
            pack: Pack | None = None, manifests: Mapping[str, Manifest] | None = None, *, learnt: bool = True
        ) -> tuple[Words, Networks]:
            store = shelf(tmp_path, install=False)
            known = store.manifests if manifests is None else manifests
            scheduler = Scheduler()
            networks = Networks(known, store, CPU, scheduler, heard)
            closing.callback(networks.close)
            closing.enter_context(scheduler)
            words = build_words(networks, store, known, pack or pack_of(), tmp_path / "cache", heard)
            if words.learning is not None:
                closing.callback(words.learning.close)
                assert not learnt or words.learning.wait(20), words.learning.statement
            return words, networks

        yield start


def runs(networks: Networks, file: str = "model.onnx") -> int:
    """Runs of a network that serves, its warm-up among them."""
    (info,) = [b.describe() for b in networks.backends if b.describe().file == file]
    return info.runs


def changed(folder: Path, file: str, content: bytes) -> None:
    """Give a model another file, which its manifest then names."""
    (folder / file).write_bytes(content)
    document = yaml.safe_load((folder / "manifest.yaml").read_text("utf-8"))
    for entry in document["files"]:
        if entry["path"] == file:
            entry |= {"sha256": sha256(content).hexdigest(), "size": len(content)}
    (folder / "manifest.yaml").write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")


def test_where_both_networks_serve_they_think_along(tmp_path: Path, build: Build) -> None:
    understanding(tmp_path, derived=(), more=ASKED)
    tagging(tmp_path, derived=())
    store = shelf(tmp_path)
    words, _ = build()
    feature = words.feature()
    ids = tuple(f"{name}@{store.manifest(name).digest}" for name in ("understand-zh", "entities-zh"))
    assert (feature.name, feature.state, feature.backend) == ("language", "ready", "onnxruntime-cpu+templates")
    assert feature.models == ids
    assert "知识包 tiny，3 种意图，2 个常见问题 / pack tiny, 3 intents, 2 frequent questions" in feature.reason
    assert "model: onnxruntime-cpu" in feature.reason
    assert "tagger: onnxruntime-cpu" in feature.reason
    assert all(statement.strip() for language in ("zh", "en") for statement in feature.said(language))
    parse = Parser(pack_of().lexicon, minds=words.minds).parse(Turn("想换牛奶吗"))
    assert (parse.intent.name, parse.source, parse.models) == ("return_exchange", "model", (ids[1], ids[0]))
    assert [(entity.type, entity.text, entity.source) for entity in parse.entities] == [("product", "牛奶", "model")]
    assert parse.sentiment is not None


def test_without_models_the_templates_answer_and_the_feature_says_why_and_what_installs(
    tmp_path: Path, build: Build
) -> None:
    understanding(tmp_path)
    tagging(tmp_path)
    pack = load_pack("store")
    words, networks = build(pack)
    feature = words.feature()
    assert (feature.state, feature.backend, feature.models) == ("fallback", "templates", ())
    english = "\n".join(feature.said("en"))
    for name, file in (("understand-zh", "model.onnx"), ("entities-zh", "tagger.onnx")):
        assert f"{file}: expected the file, found none" in english
        assert f"Run `appliance models pull {name}`" in english
        assert f"请运行 `appliance models pull {name}`" in "\n".join(feature.said("zh"))
    assert "templates and example sentences understand instead" in english
    assert "found by tables and patterns alone" in english
    assert str(tmp_path) not in feature.reason, "the page shows it: no path of the machine"
    assert networks.backends == ()
    parser = Parser(pack.lexicon, minds=words.minds)
    parse = parser.parse(Turn("厕所在哪里"))
    assert (parse.intent.name, parse.models, parse.sentiment) == ("facility_location", (), None)
    parse = parser.parse(Turn("包装拆开了还能退吗？"))
    assert (parse.faq[0].id, parse.faq[0].meaning) == ("return_opened", 0)
    assert parse.faq[0].confidence > 0.5
    assert not (tmp_path / "cache").exists()


def test_a_version_that_knows_no_language_models_says_so(tmp_path: Path, build: Build) -> None:
    (tmp_path / "manifests").mkdir()
    words, _ = build(manifests={})
    feature = words.feature()
    assert (feature.state, feature.backend) == ("fallback", "templates")
    assert "understand-zh: expected a manifest of this name, got []" in feature.reason
    assert "appliance models pull" in feature.reason


@pytest.mark.parametrize("installed", ["understand-zh", "entities-zh"])
def test_one_network_serves_without_the_other(tmp_path: Path, build: Build, installed: str) -> None:
    understanding(tmp_path, derived=(), more=ASKED) if installed == "understand-zh" else tagging(tmp_path, derived=())
    shelf(tmp_path)
    words, _ = build()
    feature = words.feature()
    assert (feature.state, feature.backend) == ("fallback", "onnxruntime-cpu+templates")
    assert [model.partition("@")[0] for model in feature.models] == [installed]
    parse = Parser(pack_of().lexicon, minds=words.minds).parse(Turn("想换牛奶吗"))
    assert [model.partition("@")[0] for model in parse.models] == [installed]
    assert (parse.sentiment is not None) is (installed == "understand-zh")
    assert ("牛奶" in [entity.text for entity in parse.entities]) is (installed == "entities-zh")


def test_the_packs_own_intents_need_no_fitting(tmp_path: Path, build: Build) -> None:
    understanding(tmp_path, derived=(), more=ASKED)
    shelf(tmp_path)
    words, _ = build(pack_of(*reversed(SAME)))  # in whatever order the pack has them
    assert words.minds.classifier is not None
    assert words.minds.classifier.intents == tuple(MEANINGS)
    assert "例句拟合" not in words.feature().reason
    assert [path.name.partition("-")[0] for path in (tmp_path / "cache").iterdir()] == ["faq"]


def test_for_another_pack_a_head_is_fitted_to_its_sentences(tmp_path: Path, build: Build) -> None:
    understanding(tmp_path, derived=(), more=ASKED + "在哪呢上呀")
    shelf(tmp_path)
    words, _ = build(pack_of(*OTHER))
    classifier = words.minds.classifier
    assert classifier is not None
    assert classifier.intents == ("hello", "loo")
    assert "intent: 按知识包的 6 个例句拟合 / fitted to the pack's 6 example sentences" in words.feature().reason
    for text, intent in (("你早", "hello"), ("好好好", "hello"), ("厕所呢", "loo"), ("想去手间", "loo")):
        found = classifier.read(text).intents
        assert (found[0].name, len(found)) == (intent, 2), text
        assert found[0].confidence > 0.6
        assert sum(one.confidence for one in found) == pytest.approx(1, abs=0.001)


def test_a_sentence_under_two_spellings_counts_once_and_empty_ones_not_at_all(tmp_path: Path, build: Build) -> None:
    understanding(tmp_path, derived=(), more=ASKED)
    shelf(tmp_path)
    rules = (
        IntentRule("loo", sentences=("厕所", "廁所", " 厕所 ", "🚻")),
        IntentRule("hello", sentences=("你好", "早")),
    )
    words, _ = build(pack_of(*rules))
    assert "the pack's 3 example sentences" in words.feature().reason


def test_the_store_gets_a_head_for_all_its_intents(tmp_path: Path, build: Build) -> None:
    pack = load_pack("store")
    sentences = [(s, rule.name) for rule in pack.lexicon.intents for s in rule.sentences]
    understanding(tmp_path, derived=(), more="".join(sorted({c for s, _ in sentences for c in s})))
    shelf(tmp_path)
    words, _ = build(pack)
    classifier = words.minds.classifier
    assert classifier is not None
    assert classifier.intents == tuple(sorted({name for _, name in sentences}))
    some = sentences[::20]
    right = sum(classifier.read(text).intents[0].name == name for text, name in some)
    assert right > 0.2 * len(some), "characters without order tell some of 29 intents, and chance a thirtieth"


def test_vectors_are_kept_and_the_next_start_runs_nothing_but_the_warm_up(tmp_path: Path, build: Build) -> None:
    understanding(tmp_path, derived=(), more=ASKED)
    shelf(tmp_path)
    words, networks = build(pack_of(*OTHER))
    assert runs(networks) == 3, "the warm-up, the sentences for the head, the questions"
    files = {path: path.read_bytes() for path in (tmp_path / "cache").iterdir()}
    assert sorted(path.name.partition("-")[0] for path in files) == ["faq", "head"]
    again, networks = build(pack_of(*OTHER))
    assert runs(networks) == 1
    assert {path: path.read_bytes() for path in (tmp_path / "cache").iterdir()} == files
    for text in ("厕所呢", "几点关门"):
        first, second = (Parser(pack_of(*OTHER).lexicon, minds=w.minds).parse(Turn(text)) for w in (words, again))
        assert (first.intent, first.alternatives, first.faq) == (second.intent, second.alternatives, second.faq)


def test_another_question_or_another_model_is_not_answered_from_the_cache(tmp_path: Path, build: Build) -> None:
    understanding(tmp_path, derived=(), more=ASKED)
    shelf(tmp_path)
    build()
    (first,) = (tmp_path / "cache").iterdir()
    _, networks = build(pack_of(faq=ROWS[:1]))
    assert runs(networks) == 2
    (second,) = (tmp_path / "cache").iterdir()
    assert second.name != first.name, "and what nobody asks for any more is gone"
    understanding(tmp_path, derived=(), more=ASKED + "新")
    shelf(tmp_path)
    _, networks = build(pack_of(faq=ROWS[:1]))
    assert runs(networks) == 2
    (third,) = (tmp_path / "cache").iterdir()
    assert third.name != second.name


def saved(array: npt.NDArray[np.generic]) -> Callable[[Path], None]:
    return lambda path: np.save(path, array, allow_pickle=True)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"no array"),
        lambda path: path.write_bytes(path.read_bytes()[:-7]),
        lambda path: path.write_bytes(path.read_bytes()[:20]),
        saved(np.zeros((5, 32), np.float32)),
        saved(np.zeros((4, 32), np.float64)),
        saved(np.zeros(4, np.float32)),
        saved(np.array([{"a": 1}] * 4, object)),
    ],
    ids=["empty", "words", "cut", "cut in its head", "more rows", "doubles", "flat", "objects"],
)
def test_a_broken_cache_file_is_made_anew(tmp_path: Path, build: Build, damage: Callable[[Path], object]) -> None:
    understanding(tmp_path, derived=(), more=ASKED)
    shelf(tmp_path)
    build()
    (path,) = (tmp_path / "cache").iterdir()
    whole = path.read_bytes()
    damage(path)
    assert path.read_bytes() != whole
    words, networks = build()
    assert runs(networks) == 2
    assert words.minds.faq is not None
    assert path.read_bytes() == whole
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_place_that_takes_no_cache_costs_only_time(tmp_path: Path, build: Build) -> None:
    understanding(tmp_path, derived=(), more=ASKED)
    shelf(tmp_path)
    (tmp_path / "cache").write_text("a file where a folder should be")
    for _ in range(2):
        words, networks = build(pack_of(*OTHER))
        assert runs(networks) == 3
        assert words.minds.classifier is not None
        assert words.minds.classifier.intents == ("hello", "loo")


def test_vectors_of_one_purpose_leave_those_of_others_alone(tmp_path: Path) -> None:
    made: list[str] = []

    def make(name: str, count: int) -> Callable[[], npt.NDArray[np.float32]]:
        def vectors() -> npt.NDArray[np.float32]:
            made.append(name)
            return np.full((count, 2), len(made), np.float32)

        return vectors

    cache = tmp_path / "deep" / "cache"
    kept(cache, "head", "a@1", ["你", "好"], make("head", 2))
    (cache / "of-another.txt").write_text("kept")
    kept(cache, "faq", "a@1", ["你", "好"], make("faq", 2))
    np.testing.assert_array_equal(kept(cache, "head", "a@1", ["你", "好"], make("head", 2)), [[1, 1], [1, 1]])
    np.testing.assert_array_equal(kept(cache, "faq", "a@1", ["你", "好"], make("faq", 2)), [[2, 2], [2, 2]])
    assert made == ["head", "faq"]
    kept(cache, "head", "a@2", ["你", "好"], make("head of 2", 2))
    kept(cache, "head", "a@2", ["好", "你"], make("head in other order", 2))
    assert made == ["head", "faq", "head of 2", "head in other order"]
    assert sorted(path.name.partition("-")[0] for path in cache.iterdir()) == ["faq", "head", "of"]
    assert kept(cache, "none", "a@2", [], make("nothing", 0)).shape == (0, 2)


def test_meaning_finds_what_is_asked_in_other_words(tmp_path: Path, build: Build) -> None:
    understanding(tmp_path, derived=(), more=ASKED)
    shelf(tmp_path)
    faq = build()[0].minds.faq
    assert faq is not None
    words, _ = build()
    parse = Parser(pack_of().lexicon, minds=words.minds).parse(Turn("哪里洗手"))
    assert (parse.faq[0].id, parse.faq[0].way) == ("wash", "哪里洗手")
    assert parse.faq[0].meaning > 0.5
    # By the weights that came with the model (see `understanding`), not by those for words alone.
    best, other = parse.faq
    likeness = [0.5 * one.words + 0.5 * one.meaning for one in (best, other)]
    said = -4 + 5 * best.words + 5 * best.meaning + 3 * (likeness[0] - likeness[1])
    assert best.confidence == pytest.approx(1 / (1 + np.exp(-said)), abs=0.002)


def test_a_pack_without_questions_has_none(tmp_path: Path, build: Build) -> None:
    understanding(tmp_path, derived=())
    shelf(tmp_path)
    words, networks = build(pack_of(faq=()))
    assert words.minds.faq is None
    assert runs(networks) == 1
    assert "0 frequent questions" in words.feature().reason


@pytest.mark.parametrize(
    ("file", "content", "complaint"),
    [
        ("labels.json", b"{}", "labels.json: expected labels, got KeyError"),
        ("tokenizer.json", b"{}", "tokenizer.json: expected a tokenizer, got"),
        ("faq.json", b"[]", "faq.json: expected weights, got TypeError"),
    ],
)
def test_an_encoder_whose_papers_are_wrong_is_released(
    tmp_path: Path, build: Build, file: str, content: bytes, complaint: str
) -> None:
    changed(understanding(tmp_path, derived=()), file, content)
    tagging(tmp_path, derived=())
    shelf(tmp_path)
    words, networks = build()
    assert words.minds.classifier is None
    assert words.minds.tagger is not None
    assert [backend.describe().file for backend in networks.backends] == ["tagger.onnx"]
    feature = words.feature()
    assert (feature.state, feature.backend) == ("fallback", "onnxruntime-cpu+templates")
    assert complaint in feature.reason
    assert "understand-zh" not in str(feature.models)
    faq = words.minds.faq
    assert faq is not None
    assert faq.find("几点关门")[0].id == "hours"


def test_a_tagger_whose_papers_are_wrong_is_released(tmp_path: Path, build: Build) -> None:
    understanding(tmp_path, derived=(), more=ASKED)
    changed(tagging(tmp_path, derived=()), "tagger.json", b'{"tags": ["O"]}')
    shelf(tmp_path)
    words, networks = build()
    assert words.minds.tagger is None
    assert words.minds.classifier is not None
    assert [backend.describe().file for backend in networks.backends] == ["model.onnx"]
    assert "tagger.json: expected an alphabet, got KeyError" in words.feature().reason
    assert words.feature().state == "fallback"


def test_a_network_that_fails_in_service_leaves_the_templates_answering(
    tmp_path: Path, build: Build, heard: Heard
) -> None:
    """A character with a number beyond the network's table: ONNX Runtime itself fails at it."""
    understanding(tmp_path, derived=(), more=ASKED, unreadable="龙")
    tagging(tmp_path, derived=())
    shelf(tmp_path)
    words, networks = build()
    parser = Parser(pack_of().lexicon, minds=words.minds)
    assert words.feature().state == "ready"
    assert parser.parse(Turn("你好呀")).sentiment is not None
    parse = parser.parse(Turn("龙你好早"))
    assert parse.sentiment is None
    assert [model.partition("@")[0] for model in parse.models] == ["entities-zh"]
    feature = words.feature()
    assert feature.state == "fallback"
    first, *_ = feature.reason.splitlines()
    assert first.startswith("intent: 运行中失败，每 30 秒重试一次 / failed while serving: understand-zh/model on ")
    assert [event["feature"] for event in heard.of("backend_lost")] == ["intent"]
    before = runs(networks)
    parse = parser.parse(Turn("你好早"))
    assert (parse.intent.name, parse.sentiment) == ("greet", None)
    assert parse.faq, "questions are compared by their words"
    assert runs(networks) == before, "it is left alone for a while"
    assert len(heard.of("backend_lost")) == 1


def test_questions_that_the_network_fails_at_are_compared_by_their_words(
    tmp_path: Path, build: Build, heard: Heard
) -> None:
    understanding(tmp_path, derived=(), more=ASKED, unreadable="龙")
    shelf(tmp_path)
    dragon = FaqRow("dragon", {"zh": "有龙吗", "en": "Dragons?"}, {"zh": "没有。", "en": "None."}, ("有龙吗",))
    words, _ = build(pack_of(faq=(*ROWS, dragon)), learnt=False)
    assert words.learning is not None
    until = time.monotonic() + 10
    while not heard.of("faq_failed") and time.monotonic() < until:
        time.sleep(0.01)
    assert heard.of("faq_failed")
    assert not heard.of("backend_lost")  # what fails at learning does not take the network from turns
    parse = Parser(pack_of().lexicon, minds=words.minds).parse(Turn("有龙吗"))
    assert (parse.faq[0].id, parse.faq[0].meaning) == ("dragon", 0)
    feature = words.feature()
    assert feature.state == "fallback"  # this turn's own run failed
    assert "运行中失败" in feature.reason.splitlines()[0]
    assert feature.reason.splitlines()[1] == words.learning.statement
    assert "0 of 5" in words.learning.statement
    assert not (tmp_path / "cache").exists()


def test_the_cases_of_the_small_model_are_read_as_they_are_meant(tmp_path: Path, build: Build) -> None:
    """Through the whole path: tokenizer, network, labels."""
    understanding(tmp_path, derived=())
    shelf(tmp_path)
    classifier = build()[0].minds.classifier
    assert classifier is not None
    assert [classifier.read(text).intents[0].name for text, _ in CASES] == [label for _, label in CASES]
