"""What hearing costs: reading, resampling, levelling and finding speech, and recognising where a Vosk model is given.

`python -m benchmarks.hearing [--check] [--minutes N] [--rounds N] [--json OUT]` makes minutes of sound as a kiosk
records it (the VAD model's own case clips with pauses, over a quiet room), stores them as WAV in several forms, and
runs each stage on one thread. A figure is CPU seconds of this process for one second of sound (real-time factor, RTF),
the median of the rounds. VOSK_TEST_MODEL names the folder of a Vosk model to recognise with (`make hear-test` fetches
one); what it hears does not matter here. `--check` exits 1 where all before recognition together takes more than RTF
0.02 in any form, or less than 95 % of the speech is found.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import soxr

from appliance.artifacts.manifest import load_manifests, shipped_root
from appliance.artifacts.store import ModelStore
from appliance.errors import ModelMissing
from appliance.inference.onnxruntime import OnnxRuntimeBackend
from appliance.settings import data_dir, load_settings
from appliance.speech.level import levelled
from appliance.speech.resample import RATE, to_16k
from appliance.speech.vad import Vad
from appliance.speech.vosk import VoskRecogniser
from appliance.speech.wav import decode
from appliance.values import Audio, Segment
from benchmarks.machine import describe

BEFORE_RTF = 0.02
"""Most CPU for reading, resampling, levelling and finding speech: the brief of a 15 W kiosk, one thread."""
FOUND = 0.95
"""Least share of the speech that must be found, or the figures are those of something else."""
FORMS = ((16_000, 1, "s16"), (48_000, 2, "s16"), (44_100, 1, "s24"), (48_000, 1, "f32"), (8_000, 1, "s16"))
"""Rate, channels and samples of each form."""
STAGES = ("decode", "resample", "level", "vad")

_Result = TypeVar("_Result")


def stored(samples: np.ndarray, rate: int, channels: int, kind: str) -> bytes:
    """A WAV file of `samples`, the same on every channel."""
    frames = np.repeat(np.clip(samples, -1, 1)[:, None], channels, axis=1).reshape(-1)
    bits = int(kind[1:])
    if kind == "f32":
        body = frames.astype("<f4").tobytes()
    elif kind == "s24":
        body = np.round(frames * (2**23 - 1)).astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    else:
        body = np.round(frames * 32767).astype("<i2").tobytes()
    tag, frame = 3 if kind == "f32" else 1, channels * bits // 8
    head = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, tag, channels, rate, rate * frame, frame, bits)
    data = head + b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(data)) + data


def conversation(minutes: float) -> tuple[Audio, list[Segment]]:
    """Speech with pauses at 16 kHz over a quiet room, and where it is."""
    rng = np.random.default_rng(11)
    clips = []
    for case in load_manifests(shipped_root())["silero-vad"].cases():
        if case.truth["speech"]:
            clip = to_16k(decode(case.path.read_bytes(), max_seconds=600, max_bytes=1 << 28))
            clips.append((clip.samples, case.truth["speech"]))
    wanted, turn, truth, sound = round(minutes * 60 * RATE), 0, [], np.zeros(0, np.float32)
    while len(sound) < wanted:
        samples, speech = clips[turn % len(clips)]
        truth += [Segment(start + len(sound) / RATE, end + len(sound) / RATE) for start, end in speech]
        sound, turn = np.concatenate([sound, samples, np.zeros(RATE * 2, np.float32)]), turn + 1
    return Audio((sound + 3e-4 * rng.standard_normal(len(sound))).astype(np.float32), RATE), truth


def share(truth: list[Segment], found: tuple[Segment, ...]) -> float:
    """How much of the speech lies in what was found."""
    inside = sum(max(0.0, min(a.end, b.end) - max(a.start, b.start)) for a in truth for b in found)
    return inside / sum(segment.end - segment.start for segment in truth)


def timed(work: Callable[[], _Result]) -> tuple[_Result, float]:
    """The result, and CPU seconds of this process."""
    begin = time.process_time()
    result = work()
    return result, time.process_time() - begin


def measure(data: bytes, vad: Vad) -> tuple[dict[str, float], Audio, tuple[Segment, ...]]:
    """CPU seconds of every stage, and what they made."""
    cost: dict[str, float] = {}
    recording, cost["decode"] = timed(lambda: decode(data, max_seconds=3600, max_bytes=1 << 31))
    resampled, cost["resample"] = timed(lambda: to_16k(recording))
    audio, cost["level"] = timed(lambda: levelled(resampled))
    segments, cost["vad"] = timed(lambda: vad.segments(audio))
    return cost, audio, segments


def recognised(folder: Path, audio: Audio, segments: tuple[Segment, ...]) -> dict[str, float | str]:
    """Loading and hearing with a Vosk model."""
    ear = VoskRecogniser(folder, language="zh", name=folder.name, rehearsed=True)
    _, load = timed(ear.load)
    few = segments[:4]
    heard, cost = timed(lambda: ear.transcribe(audio, few))
    spoken = sum(segment.end - segment.start for segment in few)
    ear.close()
    return {
        "model": folder.name,
        "load_cpu_s": round(load, 2),
        "speech_s": round(spoken, 1),
        "rtf": round(cost / spoken, 3),
        "words": float(len(heard.words)),
    }


def main() -> int:
    """Measure, print, optionally write and check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    manifests = load_manifests(shipped_root())
    store = ModelStore(data_dir(load_settings()) / "models", manifests)
    try:
        network = store.path("silero-vad", "vad.onnx")
    except ModelMissing as error:
        raise SystemExit(f"{error.message}\n  → {error.remedy}") from error
    sound, truth = conversation(arguments.minutes)
    spoken = sum(segment.end - segment.start for segment in truth)
    forms: dict[str, dict[str, float]] = {}
    with OnnxRuntimeBackend(manifests["silero-vad"].network("vad.onnx"), network, threads=1) as backend:
        vad = Vad(lambda inputs, /, *, deadline=None: backend.infer(inputs))
        for rate, channels, kind in FORMS:
            samples = sound.samples if rate == RATE else soxr.resample(sound.samples, RATE, rate)
            data = stored(samples, rate, channels, kind)
            rounds = [measure(data, vad) for _ in range(arguments.rounds)]
            _, audio, segments = rounds[-1]
            row = {stage: statistics.median(cost[stage] for cost, *_ in rounds) / sound.seconds for stage in STAGES}
            forms[f"{rate} Hz, {channels} channel(s), {kind}"] = {
                **{stage: round(value, 5) for stage, value in row.items()},
                "rtf": round(sum(row.values()), 5),
                "segments": float(len(segments)),
                "found": round(share(truth, segments), 3),
            }
    for name, row in forms.items():
        print(f"{name}: {row}")
    folder = os.environ.get("VOSK_TEST_MODEL")
    asr = recognised(Path(folder), audio, segments) if folder else None
    print(f"recognition: {asr or 'not measured: VOSK_TEST_MODEL names no model'}")
    worst = max(row["rtf"] for row in forms.values())
    least = min(row["found"] for row in forms.values())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(
        f"{sound.seconds:.0f} s of sound, {spoken:.0f} s of speech; before recognition at most RTF {worst:.4f} ", end=""
    )
    print(
        f"(limit {BEFORE_RTF:g}), at least {least:.0%} of the speech found (limit {FOUND:.0%}); peak RSS {peak:.0f} MB"
    )
    if arguments.json:
        limits = {"before_rtf": BEFORE_RTF, "found": FOUND}
        result = {"machine": describe(), "seconds": sound.seconds, "forms": forms, "asr": asr, "limits": limits}
        arguments.json.write_text(json.dumps(result | {"rss_peak_mb": round(peak, 1)}, indent=1), "utf-8")
    missed = worst > BEFORE_RTF or least < FOUND
    if arguments.check and missed:
        print("FAIL: a limit is missed")
    return int(arguments.check and missed)


if __name__ == "__main__":
    sys.exit(main())
