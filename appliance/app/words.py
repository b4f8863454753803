"""Builds what understands words: the language networks where they serve, the templates in any case, and says which."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from appliance.app.guarded import Guarded
from appliance.app.learning import Learning
from appliance.app.networks import Network, Networks, said, why
from appliance.app.senses import model_ids
from appliance.app.vectors import kept, store_vectors, stored
from appliance.artifacts.manifest import Manifest
from appliance.artifacts.store import ModelStore
from appliance.errors import ApplianceError
from appliance.language.classify import Classifier, Labels, read_labels
from appliance.language.clean import Cleaner
from appliance.language.faq import WORDS_ALONE, Faq, Weighing, read_weighing
from appliance.language.flatten import flatten
from appliance.language.head import fit
from appliance.language.parse import Minds
from appliance.language.pinyin import Syllables
from appliance.language.segment import Segmenter
from appliance.language.tagger import Tagger, read_alphabet, types_of
from appliance.language.tokenise import Tokeniser
from appliance.listener import Listener
from appliance.packs.schema import Pack
from appliance.values import Feature, statements

UNDERSTANDING, ENTITIES = "understand-zh", "entities-zh"
"""The models: encoder with heads, and entity tagger."""
TEMPLATES = "templates"


@dataclass(frozen=True, slots=True)
class Words:
    """The language networks with the feature that describes them."""

    minds: Minds
    """What the parser gets."""
    feature: Callable[[], Feature]
    """State of `language` now and why."""
    learning: Learning | None = None
    """What makes the vectors of the pack's questions meanwhile; None where they are there, or nothing can make them."""


@dataclass(slots=True)
class _Found:
    """What has been built so far; a network among the reasons stands for what there is to say of it now."""

    reasons: list[str | Network]
    guards: list[Guarded]
    networks: list[Network]
    models: dict[str, str]
    unguarded: Classifier | None = None
    """The classifier whose failures concern nobody but who uses it."""


def build_words(
    networks: Networks,
    store: ModelStore,
    manifests: Mapping[str, Manifest],
    pack: Pack,
    cache: Path,
    listener: Listener,
) -> Words:
    """Load the language networks; what is missing or refused leaves the templates answering, and the reason says so.

    Vectors of the pack's questions are kept in `cache`; the first start makes them behind the running appliance.
    """
    intents, rows = len(pack.lexicon.intents), len(pack.faq)
    found = _Found(
        [
            f"知识包 {pack.name}，{intents} 种意图，{rows} 个常见问题 / "
            f"pack {pack.name}, {intents} intents, {rows} frequent questions"
        ],
        [],
        [],
        {},
    )
    classifier, weighing = _classifier(networks, store, manifests, pack, cache, listener, found)
    tagger = _tagger(networks, store, manifests, pack, listener, found)
    unguarded = found.unguarded if classifier else None
    faq, learning = _faq(pack, unguarded, weighing, cache, found.models.get("classifier", ""), listener)
    models = tuple(found.models.values())

    def now() -> Feature:
        lost = [guard.statement for guard in found.guards if guard.failed]
        under_way = [learning.statement] if learning is not None and learning.statement else []
        said_of = [text for one in found.reasons for text in ([one] if isinstance(one, str) else why((one,)))]
        backend = "+".join([*sorted({network.backend for network in found.networks}), TEMPLATES])
        demoted = any(network.demoted for network in found.networks)
        state = "ready" if classifier and tagger and not lost and not demoted else "fallback"
        return Feature("language", state, backend, statements([*lost, *under_way, *said_of]), models=models)

    return Words(Minds(classifier, tagger, faq, found.models), now, learning)


def _classifier(
    networks: Networks,
    store: ModelStore,
    manifests: Mapping[str, Manifest],
    pack: Pack,
    cache: Path,
    listener: Listener,
    found: _Found,
) -> tuple[Classifier | None, Weighing]:
    network = networks.load(UNDERSTANDING, "model.onnx")
    found.reasons.append(network)
    if network.run is None:
        found.reasons.append("intent: 由模板和例句代为理解 / templates and example sentences understand instead")
        return None, WORDS_ALONE
    try:
        labels = read_labels(store.path(UNDERSTANDING, "labels.json"))
        tokeniser = Tokeniser(store.path(UNDERSTANDING, "tokenizer.json"), labels.longest)
        weighing = read_weighing(store.path(UNDERSTANDING, "faq.json"))
    except ApplianceError as error:
        networks.release(network)
        found.reasons.append(f"intent: {said(error, store)}")
        return None, WORDS_ALONE
    guard = _guard("intent", network, listener, found, manifests, "classifier")
    found.unguarded = Classifier(network.background or network.run, tokeniser, labels)
    try:
        return _fitted(Classifier(guard, tokeniser, labels), labels, pack, cache, found), weighing
    except ApplianceError as error:  # the network failed, or there is nothing to fit a head to
        found.reasons.append(f"intent: {said(error, store)}")
        return None, WORDS_ALONE


def _fitted(classifier: Classifier, labels: Labels, pack: Pack, cache: Path, found: _Found) -> Classifier:
    """The classifier with the pack's intents: its own, or a head fitted to the pack's sentences."""
    if set(labels.intents) == set(pack.lexicon.intent_names):
        return classifier
    cleaner = Cleaner()
    pairs = [(cleaner.clean(s).text, rule.name) for rule in pack.lexicon.intents for s in rule.sentences]
    pairs = [pair for pair in dict.fromkeys(pairs) if pair[0]]
    texts = [text for text, _ in pairs]
    vectors = kept(cache, "head", found.models["classifier"], texts, lambda: classifier.vectors(texts))
    head = fit(vectors, [name for _, name in pairs])
    found.reasons.append(
        f"intent: 按知识包的 {len(pairs)} 个例句拟合 / fitted to the pack's {len(pairs)} example sentences"
    )
    return classifier.with_head(head)


def _tagger(
    networks: Networks,
    store: ModelStore,
    manifests: Mapping[str, Manifest],
    pack: Pack,
    listener: Listener,
    found: _Found,
) -> Tagger | None:
    network = networks.load(ENTITIES, "tagger.onnx")
    found.reasons.append(network)
    if network.run is None:
        found.reasons.append("entities: 仅由词表和规则识别 / found by tables and patterns alone")
        return None
    try:
        alphabet = read_alphabet(store.path(ENTITIES, "tagger.json"))
        segmenter = Segmenter(store.path(ENTITIES, "words.json")) if _takes_words(manifests) else None
    except ApplianceError as error:
        networks.release(network)
        found.reasons.append(f"entities: {said(error, store)}")
        return None
    guard = _guard("entities", network, listener, found, manifests, "tagger")
    judges = types_of(alphabet) if alphabet.pack == pack.name else frozenset[str]()
    return Tagger(guard, alphabet, pack.lexicon.entity_types, segmenter, judges)


def _takes_words(manifests: Mapping[str, Manifest]) -> bool:
    """True when the tagger sees the word that each character stands in."""
    return any(tensor.name == "words" for tensor in manifests[ENTITIES].networks["tagger.onnx"].inputs)


def _guard(
    name: str,
    network: Network,
    listener: Listener,
    found: _Found,
    manifests: Mapping[str, Manifest],
    role: str,
) -> Guarded:
    assert network.run is not None  # noqa: S101 - the callers have looked
    guard = Guarded(name, network.run, listener=listener)
    found.guards.append(guard)
    found.networks.append(network)
    found.models[role] = model_ids(manifests, network.model)[0]
    return guard


def _faq(
    pack: Pack, classifier: Classifier | None, weighing: Weighing, cache: Path, model: str, listener: Listener
) -> tuple[Faq | None, Learning | None]:
    """The pack's questions, and what has begun to make their vectors where these are not kept yet."""
    if not pack.faq:
        return None, None
    cleaner = Cleaner()
    cleaned = [[cleaner.clean(way).text for way in row.ways] for row in pack.faq]
    faq = Faq(pack.faq, [[flatten(way).text for way in ways] for ways in cleaned], Syllables())
    if classifier is None:
        return faq, None
    texts = [way for ways in cleaned for way in ways]
    vectors = stored(cache, "faq", model, texts)
    if vectors is not None:
        faq.learn(vectors, weighing)
        return faq, None
    learning = Learning(
        faq, texts, classifier, weighing, lambda made: store_vectors(cache, "faq", model, texts, made), listener
    )
    learning.start()
    return faq, learning
