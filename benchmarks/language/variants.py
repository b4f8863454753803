"""What is compared: each variant reads sentences and names intents, and polarities and vectors where it can."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.app.derive import feeds
from appliance.artifacts.manifest import load_manifest
from appliance.inference.onnxruntime import OnnxRuntimeBackend
from appliance.inference.quantise import dynamic
from appliance.language.classify import Classifier, read_labels
from appliance.language.parse import Minds, Parser
from appliance.language.tokenise import Tokeniser
from appliance.packs.schema import Pack
from appliance.specs import ModelSpec
from appliance.values import Turn
from export.train.sentences import Sentence

Floats = npt.NDArray[np.float32]
Read = tuple[Floats, Floats, Floats]


class Onnx:
    """The student in one of its files, as the appliance runs it: one thread, one sentence at a time."""

    def __init__(self, spec: ModelSpec, path: Path, folder: Path) -> None:
        """Load the network at `path`; tokenizer and labels lie in `folder`."""
        self.labels = read_labels(folder / "labels.json")
        self.meaning = SimpleNamespace(intents=self.labels.intents, polarities=self.labels.polarities)
        self.tokeniser = Tokeniser(folder / "tokenizer.json", self.labels.longest)
        self.backend = OnnxRuntimeBackend(spec, path, threads=1)
        self.backend.load()

    @property
    def classifier(self) -> Classifier:
        """The same network as the parser takes it."""
        return Classifier(lambda inputs, /, *, deadline=None: self.backend.infer(inputs), self.tokeniser, self.labels)

    def read(self, texts: Sequence[str]) -> Read:
        """Logits of intents and polarities, and vectors."""
        rows = [self.backend.infer(self.tokeniser.encode(text)) for text in texts]
        return tuple(np.concatenate([row[name] for row in rows]) for name in ("intent", "sentiment", "vector"))  # type: ignore[return-value]


def int8_of(source: Path, folder: Path) -> Path:
    """The int8 file of `source` in `folder`, made as the installation makes it."""
    target = folder / f"{source.stem}.int8.onnx"
    if not target.is_file() or target.stat().st_mtime < source.stat().st_mtime:
        folder.mkdir(parents=True, exist_ok=True)
        manifest = load_manifest(source.parent / "manifest.yaml")
        dynamic(source, target, feeds(manifest.network(source.name), manifest, source.parent))
    return target


class TfIdf:
    """Character n-grams and logistic regression: what a classifier without an encoder reaches."""

    def __init__(self, train: Sequence[Sentence]) -> None:
        """Fit on the labelled sentences."""
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        def fitted(pairs: list[tuple[str, str]]) -> Any:
            made = make_pipeline(
                TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True),
                LogisticRegression(C=20.0, max_iter=2000),
            )
            return made.fit([text for text, _ in pairs], [label for _, label in pairs])

        self._intents = fitted([(s.text, s.label) for s in train if s.label])
        self._moods = fitted([(s.text, s.polarity) for s in train if s.polarity])
        self.meaning = SimpleNamespace(
            intents=tuple(map(str, self._intents.classes_)), polarities=tuple(map(str, self._moods.classes_))
        )

    def read(self, texts: Sequence[str]) -> Read:
        """Logarithms of the probabilities; there is no vector."""
        intents, moods = (np.log(np.maximum(m.predict_proba(texts), 1e-9)) for m in (self._intents, self._moods))
        return intents.astype(np.float32), moods.astype(np.float32), np.zeros((len(texts), 0), np.float32)


class Rules:
    """The pack's templates, example sentences and cues; with `minds` what the appliance makes of them and these."""

    def __init__(self, pack: Pack, minds: Minds | None = None) -> None:
        """Compile the pack."""
        self.parser = Parser(pack.lexicon, minds=minds)
        self._names = pack.lexicon.intent_names
        self.meaning = SimpleNamespace(intents=self._names, polarities=("neg", "neu", "pos"))

    def read(self, texts: Sequence[str]) -> Read:
        """Logarithms of the confidences of the intent and its alternatives."""
        found = np.full((len(texts), len(self._names)), 1e-4, np.float32)
        moods = np.full((len(texts), 3), 1e-4, np.float32)
        for row, text in enumerate(texts):
            parse = self.parser.parse(Turn(text))
            for other in parse.alternatives:
                found[row, self._names.index(other.name)] = min(other.confidence, parse.intent.confidence) * 0.99
            found[row, self._names.index(parse.intent.name)] = parse.intent.confidence
            if parse.sentiment:
                moods[row, ("neg", "neu", "pos").index(parse.sentiment.name)] = parse.sentiment.confidence
        return np.log(found), np.log(moods), np.zeros((len(texts), 0), np.float32)


def teacher_of(work: Path) -> tuple[Any, dict[str, float]]:
    """The fine-tuned teacher with its calibration, from the folder of `make models`."""
    from export.train import bundle

    calibration = json.loads((work / "teacher" / "calibration.json").read_text("utf-8"))
    return bundle.load(work / "teacher"), calibration
