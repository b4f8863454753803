"""The benchmark of recognition: what counts as an error, as late, as noise, as a transcript; and a whole run of it."""

from __future__ import annotations

import copy
import io
import json
import math
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from appliance.speech.encode import wav
from appliance.speech.level import loudness
from appliance.values import Audio, Word
from benchmarks.speech import __main__ as benchmark
from benchmarks.speech import latency, noise, report, score, truth
from benchmarks.speech.plots import draw

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # tests are no packages: this is how they share tuned_ear

from tuned_ear import TunedEar, tones  # noqa: E402 - only to be found after the line above

SHARED = Path(os.environ.get("SPEECH_TEST_DATA", "/nowhere"))


@pytest.mark.parametrize(
    "said, recognised",
    [
        ("设定二十九度", "设定29度。"),
        ("零零五四四八七九", "00544879"),
        ("我要 iPhone！", "我要ｉｐｈｏｎｅ"),
        ("重庆谢记老火锅(沙子堰西巷)", "重庆谢记老火锅,沙子堰西巷"),
        ("IT WAS THE FIRST, great sorrow", "it was  the first great sorrow."),
        ("下午三点半", "下午3点半"),
        ("一共三十二块五", "一共32.5元"),
        ("don't", "Don’t".replace("’", "'")),
    ],
)
def test_what_is_the_same_however_it_is_written(said, recognised):
    assert score.normal(said) == score.normal(recognised)
    assert score.characters(said, recognised).rate == 0


@pytest.mark.parametrize(
    "said, recognised, counts",
    [
        ("洗衣液在哪里", "洗衣业在哪", (6, 1, 1, 0)),
        ("洗衣液", "洗洗衣液", (3, 0, 0, 1)),
        ("洗衣液", "", (3, 0, 3, 0)),
        ("…", "啊", (0, 0, 0, 1)),
        ("3.5元", "35元", (4, 0, 1, 0)),
        ("where is it", "where it", (9, 0, 2, 0)),
    ],
)
def test_errors_are_counted_by_characters(said, recognised, counts):
    found = score.characters(said, recognised)
    assert (found.said, found.substituted, found.deleted, found.inserted) == counts


def test_rates_are_those_of_the_sums():
    scores = [score.characters("洗衣液在哪里", "洗衣液在哪里"), score.characters("水", "火")]
    assert score.total(scores).rate == 1 / 7
    assert score.Score(0, 0, 0, 2).rate == 1
    assert score.total([]).rate == 0
    assert score.words("where is the milk", "where's the milk").rate == 2 / 4


def test_a_word_is_known_when_the_text_so_far_begins_with_all_up_to_it():
    words = (Word("洗衣液", 0.2, 0.8, 0.9), Word("在", 0.8, 1.0, 0.9), Word("哪里", 1.0, 1.4, 0.9))
    partials = ((0.5, "洗"), (0.9, "洗 衣 液"), (1.1, "洗衣业在"), (1.6, "洗衣液在哪"))
    assert latency.delays(partials, words, 2.0) == pytest.approx([0.1, 0.6, 0.6])
    assert latency.delays((), words, 2.0) == pytest.approx([1.2, 1.0, 0.6])
    assert latency.delays(partials, (), 2.0) == []


def test_percentiles_are_values_that_were_measured():
    assert latency.percentile([3.0, 1.0, 2.0, 4.0], 0.5) == 2.0
    assert latency.percentile([float(at) for at in range(1, 101)], 0.95) == 95.0
    assert latency.percentile([7.0], 0.95) == 7.0
    assert latency.spread([0.1, 0.2]) == {"count": 2, "p50_ms": 100.0, "p95_ms": 200.0}
    assert latency.spread([]) == {"count": 0, "p50_ms": None, "p95_ms": None}


class Time:
    """A clock that only sleeping moves; every feed takes `cost`."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds


def test_sound_is_fed_in_the_time_in_which_it_is_spoken():
    clock, sound = Time(), tones("洗衣液")
    heard = latency.fed(TunedEar("zh"), sound.samples, clock=clock, sleep=clock.sleep)
    assert clock.slept == pytest.approx(0.6)
    assert heard.transcript.text == "洗衣液"
    assert [text for _, text in heard.partials] == ["洗", "洗衣", "洗衣液"]
    assert [at for at, _ in heard.partials] == pytest.approx([0.2, 0.4, 0.6])
    assert latency.delays(heard.partials, heard.transcript.words, 0.6) == pytest.approx([0, 0, 0], abs=1e-9)
    assert (heard.end_s, heard.late_s) == (pytest.approx(0, abs=1e-9), pytest.approx(0, abs=1e-9))


@pytest.mark.parametrize("kind", sorted(noise.KINDS))
@pytest.mark.parametrize("snr_db", [20.0, 0.0])
def test_noise_has_its_ratio_and_is_always_the_same(kind, snr_db):
    speech, others = tones("洗衣液在哪里").samples * 0.1, [tones("牛奶").samples, tones("两瓶").samples]
    mixed = noise.noisy(speech, kind, snr_db, "a", others)
    added = mixed - speech
    ratio = 20 * math.log10(loudness(speech) / np.sqrt(np.mean(np.square(added, dtype=np.float64))))
    assert ratio == pytest.approx(snr_db, abs=0.05)
    assert mixed.dtype == np.float32
    np.testing.assert_array_equal(mixed, noise.noisy(speech, kind, snr_db, "a", others))
    assert np.abs(mixed - noise.noisy(speech, kind, snr_db, "b", others)).max() > 0


def test_noise_never_clips_and_nobody_is_no_babble():
    loud = tones("洗衣液").samples * 3
    assert np.abs(noise.noisy(loud, "pink", -10.0, "a", ())).max() <= 1
    np.testing.assert_array_equal(noise.noisy(loud, "babble", 0.0, "a", ()), loud)


def stored(folder: Path, name: str, text: str = "洗衣液在哪里") -> Path:
    path = folder / f"{name}.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(wav(tones(text)))
    return path


def test_transcripts_are_found_wherever_they_are_usual(tmp_path):
    stored(tmp_path, "table/a")
    (tmp_path / "table" / "SOURCE.tsv").write_text('file\tlang\ttranscript\na.wav\ten\tSAY "HELLO\n', "utf-8")
    stored(tmp_path, "voice/clips/b")
    (tmp_path / "voice" / "list.csv").write_text("﻿path,sentence,locale\nclips/b.wav,你好,zh-CN\n", "utf-8")
    stored(tmp_path, "beside/c")
    (tmp_path / "beside" / "c.txt").write_text("第三句\n", "utf-8")
    stored(tmp_path, "kaldi/wav/d")
    (tmp_path / "kaldi" / "text").write_text("d 第 四 句\nother 没有\n", "utf-8")
    stored(tmp_path, "aishell/e")
    (tmp_path / "aishell" / "aishell_transcript_v0.8.txt").write_text("e\t第五句\n", "utf-8")
    stored(tmp_path, "f")
    found, without = truth.clips(tmp_path)
    assert {clip.name: (clip.text, clip.language) for clip in found} == {
        "a": ('SAY "HELLO', "en"),
        "b": ("你好", "zh"),
        "c": ("第三句", "zh"),
        "d": ("第 四 句", "zh"),
        "e": ("第五句", "zh"),
    }
    assert without == 1
    assert [clip.name for clip in truth.clips(tmp_path, language="en")[0]] == ["a"]
    assert len(truth.clips(tmp_path, limit=2)[0]) == 2


def test_folders_without_recordings_are_named(tmp_path):
    with pytest.raises(SystemExit, match="which is none"):
        truth.clips(tmp_path / "nowhere")
    with pytest.raises(SystemExit, match="expected WAV files"):
        truth.clips(tmp_path)
    stored(tmp_path, "a")
    with pytest.raises(SystemExit, match="with transcripts"):
        truth.clips(tmp_path)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four recordings of tones, and ears for them that the child can import."""
    paths = [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.setenv("APPLIANCE_DATA_DIR", str(tmp_path / "appliance"))  # where nothing is installed
    folder = tmp_path / "data"
    for at, text in enumerate(("洗衣液在哪里", "牛奶在哪里", "两瓶牛奶", "十九度")):
        stored(folder, f"clip{at}", text)
        (folder / f"clip{at}.txt").write_text(text if at != 3 else "19度", "utf-8")
    return folder


def test_a_whole_run(data, tmp_path, capsys):
    out, pictures = tmp_path / "speech.json", tmp_path / "pictures"
    common = ["--data", str(data), "--no-vad", "--paced", "2"]
    ears = ["--recogniser", "factory:tuned_ear:make", "--recogniser", "factory:tuned_ear:whole"]
    swept = ["--noise", "20,-20", "--threads", "1,2", "--json", str(out), "--plots", str(pictures), "--max-cer", "0"]
    assert benchmark.main([*common, *ears, *swept, "--max-rtf", "100", "--check"]) == 0, capsys.readouterr().out
    told = json.loads(out.read_text("utf-8"))
    assert [(one["name"], one["threads"]) for one in told["recognisers"]] == [
        ("tuned", 1),
        ("tuned", 2),
        ("whole", 1),
        ("whole", 2),
    ]
    tuned, whole = told["recognisers"][0], told["recognisers"][2]
    assert tuned["totals"]["cer"] == {"said": 18, "substituted": 0, "deleted": 0, "inserted": 0, "rate": 0.0}
    assert (tuned["totals"]["streamed"]["clips"], tuned["totals"]["streamed"]["same_text"]) == (2, 2)
    assert tuned["totals"]["streamed"]["partial"]["count"] == 10
    assert "streamed" not in whole["totals"]
    noises = {(row["kind"], row["snr_db"]): row["rate"] for row in tuned["noise"]}
    assert noises["pink", 20.0] == 0
    assert noises["pink", -20.0] > 0.3
    assert tuned["peak_mb"] >= tuned["loaded_mb"] > 10
    assert told["data"]["folder"] == "data"
    assert str(tmp_path) not in out.read_text("utf-8"), "no place of this machine"
    assert told["machine"]["cores"] >= 1
    assert {path.name for path in pictures.iterdir()} == {f"speech-{name}.png" for name in ("cost", "delays", "noise")}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures.iterdir())
    shown = capsys.readouterr().out
    assert "tuned zh, 2 threads" in shown
    assert "CER in pink noise: 20 dB 0.0%" in shown


def test_a_slow_recogniser_misses_its_limits(data, capsys):
    words = ["--data", str(data), "--no-vad", "--paced", "0", "--limit", "2", "--recogniser", "factory:tuned_ear:slow"]
    assert benchmark.main([*words, "--check"]) == 1
    said = capsys.readouterr().out
    assert "FAIL: tuned zh, 1 thread: real-time factor" in said
    assert "(p50), over 400" in said
    assert benchmark.main(words) == 0, "without --check it only says so"


def test_a_recogniser_that_is_none_ends_the_program(data, capfd):
    for spec, words in (
        ("factory:tuned_ear:fails", "this one never loads"),
        ("guesser", "expected installed, model:NAME"),
        ("model:vosk-small-cn", "appliance models pull"),
        ("installed", "expected an installed recogniser for zh"),
    ):
        with pytest.raises(SystemExit, match="expected a result"):
            benchmark.main(["--data", str(data), "--no-vad", "--recogniser", spec])
        assert words in capfd.readouterr().err


def result(**streamed: Any) -> dict[str, Any]:
    cer = {"said": 100, "substituted": 5, "deleted": 0, "inserted": 0, "rate": 0.05}
    stream = {"text": "a", "end_s": 0.1, "late_s": 0.01, "word_delays_s": [0.2, 0.3], "cer": dict(cer)} | streamed
    clip = {"text": "a", "seconds": 2.0, "wall_s": 0.1, "cpu_s": 0.1, "asr_s": 0.08, "cer": cer, "streamed": stream}
    found = {"name": "ear", "language": "zh", "threads": 1, "load_s": 1.0, "loaded_mb": 90.0, "peak_mb": 99.0}
    made = found | {"noise": [], "clips": [copy.deepcopy(clip) for _ in range(20)]}
    return made | {"totals": report.totals(made)}


def test_a_good_result_misses_nothing():
    assert report.missed([result()], report.Limits()) == []
    assert result()["totals"]["rtf"] == 0.04


@pytest.mark.parametrize(
    "limits, changed, said",
    [
        (report.Limits(rtf=0.03), {}, "real-time factor 0.040 is over 0.03"),
        (report.Limits(cer=0.04), {}, "character error rate 5.00% is over 4.00%"),
        (report.Limits(), {"end_s": 0.41, "text": "b"}, "410 ms after the end (p50), over 400"),
        (
            report.Limits(),
            {"cer": {"said": 100, "substituted": 8, "deleted": 0, "inserted": 0, "rate": 0.08}},
            "streamed sound has 3.0% more errors",
        ),
    ],
)
def test_each_limit_can_be_missed(limits, changed, said):
    (sentence,) = report.missed([result(**changed)], limits)
    assert said in sentence


def test_a_late_transcript_in_one_of_twenty_counts_in_the_tail():
    one = result()
    for clip in one["clips"][:2]:
        clip["streamed"]["end_s"] = 0.9
    one["totals"] = report.totals(one)
    (sentence,) = report.missed([one], report.Limits())
    assert "900 ms after the end (p95), over 800" in sentence


def test_the_table_says_when_the_machine_was_busy(tmp_path):
    out = io.StringIO()
    report.table([result(late_s=1.5)], Console(file=out, width=160))
    assert "feeding fell 1.50 s behind speaking" in out.getvalue()
    assert "5.00%" in out.getvalue()
    assert {path.name for path in draw([result()], tmp_path)} == {"speech-cost.png", "speech-delays.png"}


@pytest.mark.skipif(not SHARED.is_dir(), reason="SPEECH_TEST_DATA names no folder of recordings")
def test_the_shared_recordings_are_understood():
    found, without = truth.clips(SHARED)
    assert without == 0
    assert {clip.language for clip in found} == {"zh", "en"}
    assert all(clip.text for clip in found)


def test_audio_of_tones_is_what_the_ear_hears():
    assert isinstance(tones("洗"), Audio)
    assert TunedEar("zh").transcribe(tones("洗衣液"), ()).text == "洗衣液"
