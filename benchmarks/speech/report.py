"""What the measurements say: totals, the limits that are missed, and a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.speech.latency import spread
from benchmarks.speech.score import Score, total

WORSE = 0.02
"""Most that the character error rate of streamed sound may be over that of whole recordings; Kaldi draws by chance."""
LATE_S = 0.2
"""Feeding that fell behind by more says that the machine was busy, or the recogniser too slow: delays are those of
waiting then."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What `--check` holds a recogniser to."""

    rtf: float = 0.1
    """Most seconds of recognising for a second of sound, on one thread."""
    end_p50_ms: float = 400.0
    end_p95_ms: float = 800.0
    """Most milliseconds from the last sample to the transcript."""
    cer: float | None = None
    """Most character errors; None: printed, whatever it is."""


def totals(result: Mapping[str, Any]) -> dict[str, Any]:
    """Over all recordings of one recogniser: error rates, real-time factors, delays."""
    clips: Sequence[Mapping[str, Any]] = result["clips"]
    seconds = sum(clip["seconds"] for clip in clips)
    found: dict[str, Any] = {
        "clips": len(clips),
        "seconds": round(seconds, 1),
        "cer": summed(clip["cer"] for clip in clips),
        "rtf": round(sum(clip["asr_s"] for clip in clips) / seconds, 4),
        "rtf_all": round(sum(clip["wall_s"] for clip in clips) / seconds, 4),
        "rtf_cpu": round(sum(clip["cpu_s"] for clip in clips) / seconds, 4),
        # Of a whole recording the transcript comes as late as recognising it takes.
        "end": spread([clip["asr_s"] for clip in clips]),
    }
    if any("wer" in clip for clip in clips):
        found["wer"] = summed(clip["wer"] for clip in clips if "wer" in clip)
    streamed = [clip for clip in clips if "streamed" in clip]
    if streamed:
        streams = [clip["streamed"] for clip in streamed]
        found["streamed"] = {
            "clips": len(streams),
            "cer": summed(stream["cer"] for stream in streams),
            "cer_whole": summed(clip["cer"] for clip in streamed),
            "same_text": sum(clip["streamed"]["text"] == clip["text"] for clip in streamed),
            "partial": spread([delay for stream in streams for delay in stream["word_delays_s"]]),
            "end": spread([stream["end_s"] for stream in streams]),
            "late_s": max(stream["late_s"] for stream in streams),
        }
    return found


def summed(scores: Iterator[Mapping[str, Any]]) -> dict[str, Any]:
    """The rate of all together."""
    names = ("said", "substituted", "deleted", "inserted")
    return total(Score(*(one[name] for name in names)) for one in scores).json()


def missed(results: Sequence[Mapping[str, Any]], limits: Limits) -> list[str]:
    """The limits that recognisers miss, in words."""
    return [sentence for result in results for sentence in _missed(result, limits)]


def _missed(result: Mapping[str, Any], limits: Limits) -> Iterator[str]:
    name, of = title(result), result["totals"]
    if result["threads"] == 1 and of["rtf"] > limits.rtf:
        yield f"{name}: real-time factor {of['rtf']:.3f} is over {limits.rtf:g}"
    if limits.cer is not None and of["cer"]["rate"] > limits.cer:
        yield f"{name}: character error rate {of['cer']['rate']:.2%} is over {limits.cer:.2%}"
    ends = of["streamed"]["end"] if "streamed" in of else of["end"]
    for which, most in (("p50_ms", limits.end_p50_ms), ("p95_ms", limits.end_p95_ms)):
        if ends[which] > most:
            yield f"{name}: the transcript comes {ends[which]:.0f} ms after the end ({which[:3]}), over {most:g}"
    if "streamed" in of:
        worse = of["streamed"]["cer"]["rate"] - of["streamed"]["cer_whole"]["rate"]
        if round(worse, 6) > WORSE:
            yield f"{name}: streamed sound has {worse:.1%} more errors than whole recordings, over {WORSE:.0%}"


def title(result: Mapping[str, Any]) -> str:
    """A recogniser with its language and threads."""
    return f"{result['name']} {result['language']}, {result['threads']} thread{'s' * (result['threads'] > 1)}"


def table(results: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print a row for each recogniser, then its noise."""
    shown = Table(title="recognisers", title_justify="left")
    shown.add_column("recogniser", overflow="fold")
    for what in (
        "CER\n(WER)", "clips\nseconds", "RTF asr\nall · CPU", "end ms\np50 · p95", "word delay ms\np50 · p95",
        "streamed CER\nsame text", "MB loaded\npeak", "load s",
    ):  # fmt: skip
        shown.add_column(what, justify="right")
    for result in results:
        shown.add_row(title(result), *_row(result))
    console.print(shown)
    for result in results:
        for line in sentences(result):
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def _row(result: Mapping[str, Any]) -> Iterator[str]:
    of = result["totals"]
    streamed = of.get("streamed")
    yield f"{of['cer']['rate']:.2%}" + (f"\n({of['wer']['rate']:.2%})" if "wer" in of else "")
    yield f"{of['clips']}\n{of['seconds']:g}"
    yield f"{of['rtf']:.3f}\n{of['rtf_all']:.3f} · {of['rtf_cpu']:.3f}"
    yield _ms((streamed or of)["end"])
    yield _ms(streamed["partial"]) if streamed else "no stream"
    yield f"{streamed['cer']['rate']:.2%}\n{streamed['same_text']} of {streamed['clips']}" if streamed else "no stream"
    yield f"{result['loaded_mb']:.0f}\n{result['peak_mb']:.0f}"
    yield f"{result['load_s']:.1f}"


def _ms(found: Mapping[str, Any]) -> str:
    return " · ".join("none" if found[which] is None else f"{found[which]:.0f}" for which in ("p50_ms", "p95_ms"))


def sentences(result: Mapping[str, Any]) -> Iterator[str]:
    """What stands under the table: noise, and what has to be known of the delays."""
    kinds = dict.fromkeys(row["kind"] for row in result["noise"])
    for kind in kinds:
        rates = [f"{row['snr_db']:g} dB {row['rate']:.1%}" for row in result["noise"] if row["kind"] == kind]
        yield f"{title(result)}: CER in {kind} noise: {', '.join(rates)}"
    streamed = result["totals"].get("streamed")
    if streamed and streamed["late_s"] > LATE_S:
        yield (
            f"{title(result)}: feeding fell {streamed['late_s']:.2f} s behind speaking: the machine was busy, or the "
            "recogniser is slower than speech; the delays say how long was waited"
        )
