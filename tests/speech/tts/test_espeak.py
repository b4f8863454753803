"""The real espeak-ng: voices found by their phonemes, polyphones and figures said right; children that misbehave."""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from appliance.errors import BackendFailed, DeadlineExceeded, InvalidInput, Unavailable
from appliance.language.pinyin import read_table
from appliance.speech.tts import espeak as espeak_module
from appliance.speech.tts.espeak import EspeakVoice, reads_pinyin
from appliance.speech.tts.pinyin import numbered
from appliance.values import Audio

Program = Callable[[str], str]


@pytest.fixture(scope="module")
def voice(espeak: str) -> EspeakVoice:
    found = EspeakVoice(espeak)
    found.probe()
    return found


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """A program in place of espeak-ng, by its shell script."""

    def write(script: str) -> str:
        path = tmp_path / "espeak-ng"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return str(path)

    return write


def tones(phonemes: str) -> list[str]:
    """The tones heard: 55, 35, 214 or 21 (third), 51, and 11 to 44 for none."""
    return [{"55": "1", "35": "2", "21": "3", "51": "4"}.get(tone[:2], "5") for tone in re.findall(r"\d+", phonemes)]


def test_it_is_found_by_what_it_says(voice: EspeakVoice) -> None:
    assert voice.languages == ("zh", "en")
    assert voice.name.startswith("espeak-ng:cmn-latn-pinyin+en")


@pytest.mark.parametrize(
    ("text", "phonemes"),
    [
        ("银行", "j'i35n_| X'a35N_|"),
        ("重庆", "ts.h'ong35_| tS;h'i51N_|"),
        ("长大", "ts.'a21N_| t'A51_|"),
        ("音乐", "j'i55n_| 'yE51_|"),
        ("女儿", "n'y21_| '@r35_|"),
    ],
)
def test_polyphones(voice: EspeakVoice, text: str, phonemes: str) -> None:
    assert voice.phonemes(text, "zh") == phonemes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("一共¥128.50。", "24" + "43421223"),
        ("不是一个", "2424"),
        ("看一看，好不好", "454353"),
        ("电话 110", "44" + "112"),
    ],
)
def test_tones(voice: EspeakVoice, text: str, expected: str) -> None:
    assert "".join(tones(voice.phonemes(text, "zh"))) == expected


def test_every_syllable_of_mandarin_is_one_syllable_with_its_tone(voice: EspeakVoice) -> None:
    """All readings that characters have first: whatever pinyin gives, the voice can say."""
    common = {
        first
        for code, readings in read_table().items()
        if 0x4E00 <= code < 0x9FA6 and (first := readings.split(",")[0])
    }
    syllables = sorted({numbered(reading) for reading in common if re.search("[aeiouü]", numbered(reading))})
    assert len(syllables) > 1_200
    heard = voice._phonemes(voice._voice("zh"), ", ".join(syllables)).split("\n")
    said = [line for line in heard if line.strip()]
    assert len(said) == len(syllables)
    wrong = [
        (syllable, line)
        for syllable, line in zip(syllables, said, strict=True)
        if syllable[-1] != "5" and tones(line) != [syllable[-1]]
    ]
    assert not wrong, wrong[:20]


def test_english_is_said_by_the_english_voice(voice: EspeakVoice) -> None:
    said = voice.phonemes("请出示 passport，谢谢", "zh").split("\n")
    assert len(said) == 3
    assert "p'aaspo@t" in said[1] or "p'asp" in said[1] or said[1].startswith("p'")
    assert not re.search(r"\d\d", said[1])


def test_speech_of_a_sentence(voice: EspeakVoice) -> None:
    audio = voice.say("您的包裹在三号柜，请取件码 1234。", "zh")
    assert audio.rate == 22050
    assert audio.samples.dtype == np.float32
    assert 2 < audio.seconds < 8
    assert 0.2 < np.abs(audio.samples).max() <= 1
    assert np.abs(audio.samples[:20]).max() < 0.05, "begins without a jump"


def test_more_words_last_longer_and_faster_ones_shorter(espeak: str) -> None:
    slow, fast = (EspeakVoice(espeak, words_per_minute=speed).say("请在这里排队等候", "zh") for speed in (120, 260))
    assert fast.seconds < 0.7 * slow.seconds


def test_pitch(espeak: str) -> None:
    lowest = []
    for height in (10, 90):
        audio = EspeakVoice(espeak, pitch=height).say("妈", "zh")
        middle = len(audio.samples) // 3
        spectrum = np.abs(np.fft.rfft(audio.samples[middle : middle + 4096] * np.hanning(4096)))
        below_500_hz = spectrum[10:93]
        lowest.append(10 + int(np.flatnonzero(below_500_hz > 0.3 * below_500_hz.max())[0]))
    assert lowest[1] > 1.2 * lowest[0]


def pitches(audio: Audio) -> np.ndarray:
    """Fundamental frequencies between 60 and 200 Hz, by autocorrelation of 50 ms every 10 ms, of what is loud."""
    found = []
    for at in range(0, len(audio.samples) - 1102, 220):
        piece = audio.samples[at : at + 1102] * np.hanning(1102)
        if np.sqrt(np.mean(piece**2)) > 0.05:
            again = np.fft.irfft(np.abs(np.fft.rfft(piece, 4096)) ** 2)[:1102]
            lag = 110 + int(again[110:368].argmax())
            if again[lag] > 0.5 * again[0]:
                found.append(audio.rate / lag)
    return np.array(found)


def test_a_wider_melody_tells_the_tones_apart(espeak: str) -> None:
    ranges = []
    for melody in (100, 160, 200):
        found = pitches(EspeakVoice(espeak, melody=melody).say("妈麻马骂", "zh"))
        ranges.append(12 * np.log2(np.percentile(found, 95) / np.percentile(found, 5)))
    assert ranges[1] > 1.3 * ranges[0], "semitones"
    assert ranges[2] > ranges[1]


def test_what_the_program_dies_of_is_said_in_the_voice_s_own_range(
    program: Program, espeak: str, caplog: pytest.LogCaptureFixture
) -> None:
    """espeak-ng 1.51 dies of a few sentences in wide ranges."""
    real = shutil.which(espeak)
    voice = EspeakVoice(program(f'case "$*" in\n*-m*) kill -11 $$ ;;\n*) exec {real} "$@" ;;\nesac'))
    audio = voice.say("你好", "zh")
    assert audio.seconds > 0.3
    assert "own range" in caplog.text
    assert np.array_equal(audio.samples, EspeakVoice(espeak, melody=100).say("你好", "zh").samples)


def test_signs_of_markup_are_nothing_but_text(voice: EspeakVoice, monkeypatch: pytest.MonkeyPatch) -> None:
    """What reads Chinese leaves none; should it ever, a customer's words are no markup."""
    told: list[str] = []
    real = voice._run
    monkeypatch.setattr(voice, "_run", lambda arguments, text, stops: told.append(text) or real(arguments, text, stops))
    written = "ni3 <break time='9s'/> & hao3"
    audio = voice._sound(written, "cmn-latn-pinyin", voice._stops, "zh")
    (document,) = told
    assert "".join(ElementTree.fromstring(document).itertext()) == written
    assert audio.seconds < 9


def test_nothing_to_say_is_silence_of_no_length(voice: EspeakVoice) -> None:
    assert len(voice.say("😀", "zh").samples) == 0


@pytest.mark.parametrize(
    "manner", [{"words_per_minute": 20}, {"words_per_minute": 900}, {"pitch": 200}, {"melody": 20}, {"melody": 300}]
)
def test_a_manner_beyond_its_range(manner: dict[str, int]) -> None:
    with pytest.raises(InvalidInput):
        EspeakVoice(**manner)  # type: ignore[arg-type]


def test_without_the_program() -> None:
    with pytest.raises(Unavailable, match="found none") as refusal:
        EspeakVoice("/nowhere/espeak-ng").probe()
    assert "apt-get install espeak-ng" in refusal.value.remedy


def test_a_voice_that_reads_tones_in_english_is_not_taken(espeak: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(espeak_module, "_CHINESE", ("cmn", "en-us", "no-such-voice"))
    found = EspeakVoice(espeak)
    found.probe()
    assert found.languages == ("en",)
    with pytest.raises(Unavailable, match="reads the pinyin") as refusal:
        found.say("你好", "zh")
    assert "no-such-voice: " in refusal.value.detail
    assert found.say("Hello there", "en").seconds > 0.3


def test_reads_pinyin() -> None:
    assert reads_pinyin("j'i35n_| X'a35N_| ts'ai51_| ts.h'ong35_| tS;h'i51N_|")
    assert not reads_pinyin("(en)jI55nt'u:55_| ha55Nt'u:55(cmn)_|")
    assert not reads_pinyin("j'i35n_| X'i35N_| ts'ai51_| ts.'ong51_| tS;h'i51N_|")
    assert not reads_pinyin("")


def test_a_program_that_reads_nothing(program: Program) -> None:
    with pytest.raises(Unavailable, match="expected a voice that reads"):
        EspeakVoice(program("cat > /dev/null")).probe()


GOOD = """case "$*" in
*cmn*-x*) echo "i35n a35N ai51 ong35 i51N" ;;
*-x*) echo "s'Ev@n" ;;
*) {last} ;;
esac"""


@pytest.mark.parametrize(
    ("last", "error", "words"),
    [
        ("exit 3", BackendFailed, "got 3"),
        ("echo nonsense", BackendFailed, "WAV"),
        ("cat > /dev/null", BackendFailed, "WAV"),
        ("echo bad >&2; kill -9 $$", BackendFailed, "got -9: bad"),
    ],
)
def test_a_program_that_fails(program: Program, last: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        EspeakVoice(program(GOOD.format(last=last))).say("你好", "zh")


def test_a_program_that_hangs_is_killed(program: Program) -> None:
    voice = EspeakVoice(program(GOOD.format(last="exec sleep 600")), timeout_s=0.3)
    with pytest.raises(DeadlineExceeded, match=r"0\.3 s"):
        voice.say("你好", "zh")
    assert not voice._children


def test_stop_breaks_off(program: Program) -> None:
    voice = EspeakVoice(program(GOOD.format(last="exec sleep 600")), timeout_s=60)
    voice.probe()
    errors: list[Exception] = []

    def say() -> None:
        try:
            voice.say("你好", "zh")
        except Unavailable as error:
            errors.append(error)

    thread = threading.Thread(target=say)
    thread.start()
    while not voice._children:
        time.sleep(0.01)
    voice.stop()
    thread.join(30)
    assert not thread.is_alive()
    assert "got stopped" in str(errors[0])
    assert not voice._children


def test_after_stop_and_close_it_speaks_again(espeak: str) -> None:
    voice = EspeakVoice(espeak)
    assert voice.say("你好", "zh").seconds > 0.2
    voice.stop()
    assert voice.say("你好", "zh").seconds > 0.2
    voice.close()
    assert voice.languages == ()
    assert voice.say("你好", "zh").seconds > 0.2


def test_two_threads_at_once(voice: EspeakVoice) -> None:
    said: dict[int, float] = {}

    def say(number: int) -> None:
        said[number] = voice.say("请稍等" * (number + 1), "zh").seconds

    threads = [threading.Thread(target=say, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [said[number] for number in range(4)] == sorted(said.values())
