"""Trains the streaming recogniser from nothing: `python -m export.train.asr [--work DIR] [--publish] [--quick]`.

Stages (text, speech, tests, characters, acoustic, network) are done once for their inputs; a run that was killed goes
on where it was. Then the recogniser is measured on sentences, templates and voices that training has not seen; the
exit code is 1 where it misses what is asked of it. `--data DIR` learns from recordings, too: WAV files with their text
beside them (NAME.txt) or in a table; with `--only-data` from nothing else. `--recordings DIR` measures on real ones.
`--publish` writes models/ctc-pinyin-zh anew. `--quick` takes a sixtieth of the lines and a tiny network, to see that
everything works. Needs espeak-ng.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from export.train import stages
from export.train.asr import evaluate, publish, recipe
from export.train.asr.recordings import RecordingsInvalid


def main() -> int:
    """Run the stages, measure, and publish where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("var/asr"))
    parser.add_argument("--pack", default="store")
    parser.add_argument("--data", type=Path, help="folder of WAV files with their text, to learn from")
    parser.add_argument("--only-data", action="store_true", help="synthesise nothing")
    parser.add_argument("--recordings", type=Path, help="folder of WAV files with their text, to measure with")
    parser.add_argument("--epochs", type=int, default=recipe.SCHEDULE.epochs)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--until", help="the last stage to run")
    parser.add_argument("--publish", action="store_true")
    asked = parser.parse_args()
    if asked.only_data and not asked.data:
        parser.error("--only-data: expected --data DIR beside it, got none")
    try:
        planned = recipe.stages(
            asked.pack, asked.data, synthesis=not asked.only_data, quick=asked.quick, epochs=asked.epochs
        )
        names = [stage.name for stage in planned]
        if asked.until:
            if asked.until not in names:
                parser.error(f"--until: expected one of {', '.join(names)}, got {asked.until}")
            planned = planned[: names.index(asked.until) + 1]
        outcomes = stages.run(planned, asked.work)
    except RecordingsInvalid as error:
        parser.error(str(error))
    print(f"{sum(outcome.seconds for outcome in outcomes) / 60:.0f} minutes in all")
    if asked.until:
        return 0
    found = recipe.evaluated(asked.work, asked.pack, asked.recordings)
    print(json.dumps(found, indent=1, ensure_ascii=False))
    if asked.publish:
        publish.publish(asked.work, Path("models"))
    missed = [] if asked.quick else evaluate.missed(found)
    for line in missed:
        print(f"missed: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
