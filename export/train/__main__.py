"""Trains the shipped language networks from nothing: `python -m export.train [--work DIR] [--publish]`, `make models`.

Stages (encoder, teacher, student, tagger, networks) are done once for their inputs; a run that was killed goes on where
it was. Then everything is evaluated on the test sentences. `--publish` writes models/ anew. `--quick` takes a tenth of
the data for one epoch, to see that everything works. `--encoder wheel|hub|PATH` names another teacher to start from,
any BERT that transformers loads (with `--body wheel`, unless it is of multilingual-e5-small's own kind); `--extra FILE`
more text for the student, a sentence a line (its licence is yours to mind).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from export import publish
from export.train import recipe, stages


def main() -> int:
    """Run the stages, evaluate, and publish where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("var/train"))
    parser.add_argument("--pack", default="store")
    parser.add_argument("--encoder", default="wheel")
    parser.add_argument("--body", help="the encoder that student and tagger begin with, where --encoder is another")
    parser.add_argument("--extra", type=Path, action="append", default=[])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--until", help="the last stage to run")
    parser.add_argument("--publish", action="store_true")
    asked = parser.parse_args()
    planned = recipe.stages(
        asked.pack, asked.encoder, tuple(asked.extra), asked.work / "cache", quick=asked.quick, body=asked.body
    )
    names = [stage.name for stage in planned]
    if asked.until:
        if asked.until not in names:
            parser.error(f"--until: expected one of {', '.join(names)}, got {asked.until}")
        planned = planned[: names.index(asked.until) + 1]
    outcomes = stages.run(planned, asked.work)
    print(f"{sum(outcome.seconds for outcome in outcomes) / 60:.0f} minutes in all")
    if asked.until:
        return 0
    print(json.dumps(recipe.evaluated(asked.work, asked.pack), indent=1, ensure_ascii=False))
    if asked.publish:
        publish.publish(asked.work, Path("models"), asked.pack)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
