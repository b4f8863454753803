"""Derives the recogniser's vocabulary from its ONNX metadata key `character`.

    python -m export.characters RECOGNISER.onnx [--out models/pp-ocrv6-small/characters.txt]

One character per line, line n is class n; class 0 is the CTC blank and the class after the last line is the space. One
of the lines holds the ideographic space U+3000, so read the file with split("\\n") and strip nothing else. A test
derives it again and compares.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from appliance.inference.onnxruntime import library


def characters(recogniser: Path) -> str:
    """The text of characters.txt for the ONNX file at `recogniser`."""
    session = library().InferenceSession(str(recogniser), providers=["CPUExecutionProvider"])
    listed: str = session.get_modelmeta().custom_metadata_map["character"]
    classes = session.get_outputs()[0].shape[-1]
    if listed.count("\n") + 1 + 2 != classes:
        raise SystemExit(f"{recogniser}: expected {classes - 2} characters, got {listed.count(chr(10)) + 1}")
    return listed + "\n"


def main() -> None:
    """Write the vocabulary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recogniser", type=Path)
    shipped = Path(__file__).parent.parent / "models" / "pp-ocrv6-small" / "characters.txt"
    parser.add_argument("--out", type=Path, default=shipped)
    options = parser.parse_args()
    options.out.write_text(characters(options.recogniser), "utf-8")


if __name__ == "__main__":
    main()
