"""Trains a sentiment classifier: `python -m export.train.sentiment --data DIR --out DIR [--encoder WHAT] [--epochs N]`.

As `python -m export.train.intent`, on sentences with a `polarity` (neg, neu, pos), or with one as their `label`.
"""

from export.train.classify import run

if __name__ == "__main__":
    raise SystemExit(run("sentiment", __doc__ or ""))
