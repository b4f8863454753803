"""A spoken conversation at a counter in software: `python -m benchmarks.voice [PART...] [--check]`.

`barge`: the kiosk's own voice in its microphone at 0, -6 and -12 dB of a customer's, with and without echo
cancellation: how often an answer is broken off by nobody, how often and how fast by a customer. `ghosts`: minutes of
silence, a fan, music and babble: words and answers. `capture`: minutes of the appliance's own capture: losses, and
whether all were reported, memory. `answers`: from the end decision to the answer's text, by stages. Customers and
babble are the recordings of `--data` (default: the cases of the models that hear).
`--check` exits 1 and names each limit that is missed. Needs the virtual sound card's packages (`make system-test`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import soxr
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from appliance.app.build import build
from appliance.app.networks import Networks
from appliance.app.senses import VAD_MODEL, build_hearing
from appliance.app.voice import hearer
from appliance.app.wording import build_wake, likely
from appliance.artifacts.imported import load_imported
from appliance.artifacts.manifest import load_manifests, shipped_root
from appliance.artifacts.store import ModelStore
from appliance.errors import ApplianceError
from appliance.inference.scheduler import Scheduler
from appliance.listener import silent
from appliance.packs.compile import load_pack
from appliance.settings import data_dir, load_settings
from appliance.speech.asr import transcript
from appliance.speech.listen import Utterances
from appliance.speech.resample import RATE, to_16k
from appliance.speech.segment import Endpointer
from appliance.speech.tts.espeak import EspeakVoice
from appliance.speech.wav import decode
from appliance.values import Transcript
from benchmarks.machine import describe
from benchmarks.speech.noise import Samples
from benchmarks.voice import answers, barge, capture, ghosts

PARTS = ("answers", "barge", "ghosts", "capture")
ANSWERS = (
    "洗衣液在三号货架，第二层，左手边就是。",
    "您的包裹已经到店，取件码是五二零一，请到柜台领取。",
    "退货请带上小票，七天之内都可以，生鲜食品除外。",
    "我们每天早上八点开门，晚上十点关门，节假日不休息。",
    "寄到上海的快递首重十二元，续重每公斤两元。",
    "好的，我已经帮您记下来了，稍后店员会给您回电话。",
    "抱歉，这件商品今天卖完了，明天上午会补货。",
    "会员积分可以在付款的时候直接抵扣，一百分抵一元。",
)
"""What the kiosk says, by its own voice."""


def customers(folder: Path | None) -> list[Samples]:
    """Recordings of people at 16 kHz, 1 to 6 seconds of each."""
    if folder is not None:
        paths = sorted(path for path in folder.rglob("*.wav"))
    else:
        paths = [
            case.path
            for name, manifest in sorted(load_manifests(shipped_root()).items())
            for case in manifest.cases()
            if case.path.suffix == ".wav" and case.truth.get("speech")
        ]
    sounds = [to_16k(decode(path.read_bytes(), max_seconds=60, max_bytes=1 << 24)).samples for path in paths]
    found = [sound[: 6 * RATE] for sound in sounds if len(sound) >= RATE]
    if not found:
        raise SystemExit(f"--data: expected recordings of a second or more, got none in {folder or 'the models'}")
    return found


def run(asked: argparse.Namespace, at: Callable[[str], None]) -> dict[str, Any]:
    """Everything that was asked for."""
    found: dict[str, Any] = {"machine": describe()}
    with ExitStack() as stack:
        hear = _hearing(stack) if {"answers", "ghosts"} & {*asked.parts} else None
        people = customers(asked.data)
        if "answers" in asked.parts and hear is not None:
            appliance = stack.enter_context(build(load_settings(overrides={"voice": "off"}), senses=("asr",)))
            done = answers.waited(people, hear, lambda said: appliance.heard(said, None, "zh"), at)
            found["answers"] = answers.summed(done)
        if "barge" in asked.parts:
            voice = EspeakVoice()
            voice.probe()
            words = []
            for text in ANSWERS[: asked.answers]:
                said = voice.say(text, "zh")
                words.append(soxr.resample(said.samples, said.rate, RATE))
            trials = list(barge.trials(words, people, _detecting(stack), at))
            found["barge"] = {"rows": barge.summed(trials), "trials": barge.as_json(trials)}
        if "ghosts" in asked.parts and hear is not None:
            wakes = build_wake(load_pack("store"))
            found["ghosts"] = {
                kind: ghosts.heard(kind, asked.minutes or 10, hear(), wakes, people, at) for kind in ghosts.KINDS
            }
        if "capture" in asked.parts:
            found["capture"] = capture.played(asked.minutes or 30, at)
    return found


def missed(found: dict[str, Any]) -> list[str]:
    """Every limit that is missed."""
    wrong = answers.missed(found["answers"]) if "answers" in found else []
    wrong += barge.missed(found["barge"]["rows"]) if "barge" in found else []
    wrong += ghosts.missed(found["ghosts"]) if "ghosts" in found else []
    return wrong + (capture.missed(found["capture"]) if "capture" in found else [])


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print, optionally write and check."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.voice", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", default=PARTS, help=f"{', '.join(PARTS)}; default: all")
    parser.add_argument("--data", type=Path, help="folder of recordings: customers and babble")
    parser.add_argument("--answers", type=int, default=len(ANSWERS), help="answers at each level")
    parser.add_argument("--minutes", type=float, help="of each sound (10) and of capture (30)")
    parser.add_argument("--json", type=Path, metavar="OUT")
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args(words)
    if unknown := sorted({*asked.parts} - {*PARTS}):
        parser.error(f"expected {', '.join(PARTS)}, got {', '.join(unknown)}")
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("", total=None)
        found = run(asked, lambda what: progress.update(task, description=what))
    _print(found)
    wrong = missed(found)
    for sentence in wrong:
        print(f"FAIL: {sentence}")
    if asked.json:
        text = json.dumps(found, indent=1, ensure_ascii=False, default=asdict)
        asked.json.write_text(text + "\n", "utf-8")
    return int(asked.check and bool(wrong))


def _hearing(stack: ExitStack) -> Callable[[], Utterances]:
    """What makes the utterances of a Chinese stream, with what is installed."""
    settings = load_settings(overrides={"backends": "onnxruntime-cpu"})
    root, pack = data_dir(settings) / "models", load_pack(settings.pack)
    manifests = load_imported(root)[0] | load_manifests(shipped_root())
    store = ModelStore(root, manifests)
    networks = Networks(manifests, store, settings, stack.enter_context(Scheduler(listener=silent)), silent)
    stack.callback(networks.close)
    hears = build_hearing(networks, store, manifests, pack, settings, silent)
    for close in hears.closing:
        stack.callback(close)
    make = hearer(hears, settings, likely(pack))
    try:
        make("zh")
    except ApplianceError as error:
        raise SystemExit(f"expected a recogniser of Chinese, got none: {error.account}") from error
    return lambda: make("zh")


class _Deaf:
    """A recogniser that hears nothing: where only it matters whether somebody speaks."""

    name, language = "deaf", "zh"

    def stream(self, *, phrases: Sequence[str] = ()) -> _Deaf:
        return self

    def feed(self, samples: Samples, /) -> str:
        return ""

    def finish(self) -> Transcript:
        return transcript((), language=self.language, engine=self.name, seconds=0.0)

    def close(self) -> None:
        pass


def _detecting(stack: ExitStack) -> Callable[[], Utterances]:
    """What finds speech with the appliance's own rules, and recognises nothing."""
    settings = load_settings(overrides={"backends": "onnxruntime-cpu"})
    manifests = load_manifests(shipped_root())
    store = ModelStore(data_dir(settings) / "models", manifests)
    networks = Networks(manifests, store, settings, stack.enter_context(Scheduler(listener=silent)), silent)
    stack.callback(networks.close)
    network = networks.load(VAD_MODEL, "vad.onnx")
    if network.run is None:
        raise SystemExit(f"barge: expected {VAD_MODEL}, got none; run: appliance models pull {VAD_MODEL}")
    run = network.run
    return lambda: Utterances(Endpointer(run), _Deaf())  # type: ignore[arg-type]


def _print(found: dict[str, Any]) -> None:
    console = Console() if sys.stdout.isatty() else Console(width=140)
    if "answers" in found:
        table = Table("milliseconds", "sentences", "p50", "p95")
        for stage, row in found["answers"].items():
            table.add_row(stage, str(row["count"]), str(row["p50_ms"]), str(row["p95_ms"]))
        console.print(table)
    if "barge" in found:
        table = Table(
            "echo, dB", "echo cancellation", "answers broken off by nobody", "by a customer", "p50, ms", "p95"
        )
        for row in found["barge"]["rows"]:
            delay = row["delay"]
            table.add_row(
                f"{row['echo_db']:g}", "on" if row["cancelled"] else "off",
                f"{row['false'] + row['early']} of {row['answers'] + row['interrupted']}",
                f"{row['true']} of {row['interrupted']}", str(delay["p50_ms"]), str(delay["p95_ms"]),
            )  # fmt: skip
        console.print(table)
    if "ghosts" in found:
        table = Table("sound", "minutes", "taken for speech", "with words", "partial texts", "answered (wake)")
        for kind, one in found["ghosts"].items():
            table.add_row(
                kind, f"{one.minutes:g}", *(str(n) for n in (one.utterances, one.worded, one.partials, one.woken))
            )
        console.print(table)
    if "capture" in found:
        one = found["capture"]
        print(
            f"capture: {one['seconds']:.0f} s of sound in {one['wall_s']:.0f} s, {len(one['shifts'])} jumps, "
            f"{len(one['losses'])} reported losses, memory {one['rss_slope_mb_per_hour']:+.2f} MB an hour, "
            f"CPU {one['cpu_s'] / one['wall_s']:.1%}"
        )


if __name__ == "__main__":
    sys.exit(main())
