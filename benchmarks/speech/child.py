"""One recogniser on some threads, in a process of its own: `python -m benchmarks.speech.child` with a job on stdin.

A process of its own because memory and threads are the process's. It prints one line of JSON, the result; whatever a
library prints goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from appliance.speech.asr import Streaming
from appliance.speech.encode import wav
from appliance.speech.hear import Hearing
from appliance.speech.level import levelled
from appliance.speech.resample import RATE, to_16k
from appliance.speech.wav import decode
from appliance.values import Audio
from benchmarks.ocr.child import peak_mb
from benchmarks.speech import ears, latency, noise, score

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Job:
    """What to measure."""

    spec: str
    """The recogniser, as `ears` reads it."""
    language: str
    threads: int
    clips: list[tuple[str, str]]
    """Path and transcript of each recording."""
    paced: int = 0
    """How many of them are also fed as fast as they are spoken, where the recogniser streams."""
    noises: list[tuple[str, float]] = field(default_factory=list)
    """Kinds of noise, and signal-to-noise ratios in decibels."""
    detect: bool = True
    """Whether speech is found first."""


def measured(job: Job, tell: Tell) -> dict[str, Any]:
    """Everything of one recogniser, JSON types only; `tell` hears how far it is."""
    before = resident_mb()
    began, cpu = time.perf_counter(), time.process_time()
    sounds = [_sound(Path(path)) for path, _ in job.clips]
    with ears.opened(job.spec, job.language, job.threads, detect=job.detect) as hearing:
        recogniser = hearing.recognisers[job.language]
        load = {"load_s": round(time.perf_counter() - began, 2), "load_cpu_s": round(time.process_time() - cpu, 2)}
        loaded = resident_mb()
        texts = [text for _, text in job.clips]
        _heard(hearing, job.language, sounds[0])  # the first recording pays for what is made on first use
        heard = []
        for index, sound in enumerate(sounds):
            heard.append(_heard(hearing, job.language, sound))
            tell(f"{index + 1} of {len(sounds)}")
        streamed = _streamed(job, hearing, sounds, tell) if hasattr(recogniser, "stream") else []
        swept = _swept(job, hearing, sounds, texts, tell)
        name = recogniser.name
    listed = []
    for (path, text), one in zip(job.clips, heard, strict=True):
        listed.append({"name": Path(path).stem, "said": text, **one, **_scores(text, one["text"], job.language)})
    for one, stream in zip(_spread(listed, job.paced), streamed, strict=False):
        stream |= _scores(one["said"], stream["text"], job.language)
        one["streamed"] = stream
    memory = {"before_mb": before, "loaded_mb": loaded, "peak_mb": round(peak_mb(), 1)}
    named = {"name": name, "spec": _shown(job.spec), "language": job.language, "threads": job.threads}
    return {**named, **load, **memory, "clips": listed, "noise": swept}


def _sound(path: Path) -> Audio:
    return to_16k(decode(path.read_bytes(), max_seconds=ears.LIMITS.max_seconds, max_bytes=ears.LIMITS.max_bytes))


def _heard(hearing: Hearing, language: str, sound: Audio) -> dict[str, Any]:
    """One recording through all that the appliance does with one."""
    data = wav(sound)
    wall, cpu = time.perf_counter(), time.process_time()
    found = hearing.transcribe(data, language)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {
        "text": found.text,
        "confidence": round(float(found.confidence), 3),
        "seconds": round(sound.seconds, 3),
        "wall_s": round(wall, 4),
        "cpu_s": round(cpu, 4),
        "asr_s": round(found.timings_ms.get("asr", 0.0) / 1000, 4),
    }


def _streamed(job: Job, hearing: Hearing, sounds: Sequence[Audio], tell: Tell) -> list[dict[str, Any]]:
    recogniser: Streaming = hearing.recognisers[job.language]  # type: ignore[assignment]
    found = []
    for sound in _spread(sounds, job.paced):
        audio = levelled(sound)  # what the whole recording is recognised from, so that the texts can be compared
        heard = latency.fed(recogniser, audio.samples)
        words = heard.transcript.words
        found.append(
            {
                "text": heard.transcript.text,
                "end_s": round(heard.end_s, 4),
                "late_s": round(heard.late_s, 4),
                "partials": len(heard.partials),
                "word_delays_s": [
                    round(one, 3) for one in latency.delays(heard.partials, words, audio.seconds + heard.end_s)
                ],
            }
        )
        tell(f"{len(found)} streamed")
    return found


def _swept(
    job: Job, hearing: Hearing, sounds: Sequence[Audio], texts: Sequence[str], tell: Tell
) -> list[dict[str, Any]]:
    rows = []
    for kind, snr_db in job.noises:
        scores = []
        for index, (sound, text) in enumerate(zip(sounds, texts, strict=True)):
            others = [other.samples for at, other in enumerate(sounds) if at != index]
            name = Path(job.clips[index][0]).stem
            mixed = Audio(noise.noisy(sound.samples, kind, snr_db, name, others), RATE)
            scores.append(score.characters(text, hearing.transcribe(wav(mixed), job.language).text))
        rows.append({"kind": kind, "snr_db": snr_db, **score.total(scores).json()})
        tell(f"{kind} {snr_db:g} dB")
    return rows


def _scores(said: str, recognised: str, language: str) -> dict[str, Any]:
    found = {"cer": score.characters(said, recognised).json()}
    if language == "en":
        found["wer"] = score.words(said, recognised).json()
    return found


def _spread(values: Sequence[Any], count: int) -> list[Any]:
    """`count` of `values`, from all over them."""
    count = min(count, len(values))
    return [values[at * len(values) // count] for at in range(count)]


def _shown(spec: str) -> str:
    """The spec without where on this machine its files lie."""
    kind, _, rest = spec.partition(":")
    return f"{kind}:{Path(rest).name}" if kind == "vosk" else spec


def resident_mb() -> float:
    """Resident memory of this process now, in 10^6 bytes; 0 where there is no /proc."""
    try:
        status = Path("/proc/self/status").read_text("utf-8")
    except OSError:
        return 0.0
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return round(int(line.split()[1]) * 1024 / 1e6, 1)


def main() -> int:
    """Read a job, measure, print."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    asked = json.loads(sys.stdin.read())
    job = Job(**asked)

    def tell(what: str) -> None:
        answers.write(json.dumps({"at": what}) + "\n")
        answers.flush()

    result = measured(job, tell)
    answers.write(json.dumps({"result": result}, ensure_ascii=False) + "\n")
    answers.flush()
    return 0


def as_json(job: Job) -> str:
    """A job as the child reads it."""
    return json.dumps(asdict(job))


if __name__ == "__main__":
    sys.exit(main())
