"""Trains an intent classifier: `python -m export.train.intent --data DIR --out DIR [--encoder WHAT] [--epochs N]`.

`--data` is a folder (or file) in one of the formats of export.train.sentences, MASSIVE's among them; without a dev part
a tenth of the training sentences is held out. `--out` gets teacher/ and student/ (weights, plots, history), the
student as model.onnx with tokenizer.json and labels.json, and metrics.json; a run that was killed goes on.
"""

from export.train.classify import run

if __name__ == "__main__":
    raise SystemExit(run("intent", __doc__ or ""))
