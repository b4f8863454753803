"""How much the pack's own evidence should count beside the network: `python -m benchmarks.language.joining`.

Accuracy of the parser on the dev sentences (a tenth of the written training sentences, which chose the value) and on
the test sentences, for several values of `appliance.language.joining.TRUST`, beside network and templates alone. The
student was trained without the dev sentences.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from appliance.app.words import UNDERSTANDING
from appliance.artifacts.manifest import load_manifest
from appliance.language import intent, joining
from appliance.language.clean import Cleaner
from appliance.language.lexicon import OUT_OF_SCOPE
from appliance.language.parse import Minds
from appliance.packs.compile import load_pack
from benchmarks.language.variants import Onnx, Rules, int8_of
from export.train import corpus, sentences
from export.train.sentences import Sentence

TRUSTS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
MODELS = Path(__file__).parent.parent.parent / "models"


def accuracy(rules: Rules, part: Sequence[Sentence]) -> tuple[float, float]:
    """(In scope, out of scope) by what the parser decides."""
    logits, _, _ = rules.read([s.text for s in part])
    guess = [rules.meaning.intents[number] for number in logits.argmax(1)]
    inside = [g == s.label for g, s in zip(guess, part, strict=True) if s.label != OUT_OF_SCOPE]
    outside = [g == s.label for g, s in zip(guess, part, strict=True) if s.label == OUT_OF_SCOPE]
    return sum(inside) / len(inside), sum(outside) / len(outside)


def main() -> int:
    """Print a table."""
    pack, cleaner = load_pack("store"), Cleaner()
    dev = [s for s in corpus.load(pack).dev if s.label]
    test = [sentences.cleaned(s, cleaner) for s in sentences.load(corpus.DATA, "test")]
    test = [s for s in test if s.label]
    folder = MODELS / UNDERSTANDING
    spec = load_manifest(folder / "manifest.yaml").networks["model.onnx"]
    with tempfile.TemporaryDirectory() as scratch:
        network = Onnx(spec, int8_of(folder / "model.onnx", Path(scratch)), folder)
    print("trust      dev in/out of scope    test in/out of scope")
    plain = Rules(pack)
    thinking = Rules(pack, Minds(network.classifier))
    for name, rules, trust in [("templates", plain, 0.0), *((f"{t:9.1f}", thinking, t) for t in TRUSTS)]:
        intent.joined = partial(joining.joined, trust=trust)  # type: ignore[assignment]
        found = [accuracy(rules, part) for part in (dev, test)]
        print(f"{name:9}  " + "    ".join(f"{inside:.4f} {outside:.4f}" for inside, outside in found), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
