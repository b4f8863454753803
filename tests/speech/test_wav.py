"""WAV files of every kind, whole, streamed, broken and hostile."""

from __future__ import annotations

import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sounds import GUID_TAIL, chunk, fmt, riff, spoken, stored, tone, wav

from appliance.errors import InvalidInput, TooLarge, UnsupportedMedia
from appliance.speech.wav import decode
from appliance.values import Audio

KINDS = {"u8": 2**-6, "s16": 2**-14, "s24": 2**-22, "s32": 2**-22, "f32": 1e-6, "f64": 1e-6}
"""Kinds of samples with the error that storing them may cost."""
SOUND = chunk(b"data", stored(tone(16000, 0.01), "s16"))


def read(data: bytes, seconds: float = 60.0) -> Audio:
    return decode(data, max_seconds=seconds, max_bytes=1 << 25)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("extensible", [False, True])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_every_kind_of_sample(kind: str, extensible: bool, channels: int) -> None:
    left = tone(44100, 0.1)
    frames = left if channels == 1 else np.stack([left * (n + 1) / channels for n in range(channels)], axis=1)
    audio = read(wav(frames, 44100, kind, extensible=extensible))
    assert audio.rate == 44100
    assert audio.samples.dtype == np.float32
    assert audio.samples.shape == (4410,)
    assert audio.seconds == pytest.approx(0.1)
    expected = frames if channels == 1 else frames.mean(axis=1)
    np.testing.assert_allclose(audio.samples, expected, atol=KINDS[kind])


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000])
def test_every_rate(rate: int) -> None:
    assert read(wav(tone(rate, 0.5), rate)).seconds == pytest.approx(0.5, abs=1 / rate)


@pytest.mark.parametrize("kind", ["u8", "s16", "s24", "s32"])
def test_extreme_integers_stay_in_range(kind: str) -> None:
    width = int(kind[1:]) // 8
    lowest, highest = (
        (b"\0", b"\xff") if kind == "u8" else (b"\0" * (width - 1) + b"\x80", b"\xff" * (width - 1) + b"\x7f")
    )
    samples = read(riff(fmt(kind), chunk(b"data", lowest + highest))).samples
    assert samples[0] == -1.0
    assert 0.99 < samples[1] <= 1.0


def test_sound_longer_than_one_block() -> None:
    sound = tone(48000, 3.3)
    np.testing.assert_allclose(read(wav(sound, 48000)).samples, sound, atol=2**-14)


def test_what_espeak_writes_into_a_pipe(espeak: str) -> None:
    data = spoken(espeak, "ni3 hao3")
    assert struct.unpack_from("<I", data, 4)[0] != len(data) - 8, (
        "espeak-ng now knows its sizes: this test tests nothing"
    )
    audio = read(data)
    assert audio.rate == 22050
    assert len(audio.samples) == (len(data) - 44) // 2
    assert np.abs(audio.samples).max() > 0.1


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFF000, 321])
def test_sizes_of_streaming_encoders_mean_to_the_end(size: int) -> None:
    body = stored(tone(16000, 0.01), "s16")
    data = riff(fmt(), chunk(b"data", body, size), size=0xFFFFFFFF)
    np.testing.assert_array_equal(read(data).samples, read(riff(fmt(), chunk(b"data", body))).samples)


def test_a_true_size_of_zero_is_no_sound() -> None:
    with pytest.raises(InvalidInput, match="expected samples, got 0 bytes"):
        read(riff(fmt(), chunk(b"data", b""), chunk(b"LIST", b"INFOISFT\x05\0\0\0Lavf\0\0")))


def test_other_chunks_are_passed_over() -> None:
    note = chunk(b"LIST", b"odd")  # three bytes and one of padding
    plain = read(riff(fmt(), SOUND)).samples
    np.testing.assert_array_equal(read(riff(note, fmt(), note, SOUND, note)).samples, plain)


def test_a_last_frame_cut_in_two_is_dropped() -> None:
    assert read(riff(fmt("s16", channels=2), chunk(b"data", b"\1\0\2\0\3\0"))).samples.shape == (1,)


def test_channels_are_averaged() -> None:
    left, right = tone(16000, 0.1), 0.6 * tone(16000, 0.1, pitch=700)
    samples = read(wav(np.stack([left, right], axis=1))).samples
    np.testing.assert_allclose(samples, (left + right) / 2, atol=2**-14)


DEAD = np.zeros(1600)
VOICE = tone(16000, 0.1)
ROOM = 0.02 * np.random.default_rng(5).standard_normal(1600)


@pytest.mark.parametrize("kind", ["s16", "s24", "f32"])
@pytest.mark.parametrize(
    "channels",
    [
        pytest.param([VOICE, DEAD], id="right dead"),
        pytest.param([DEAD, VOICE], id="left dead"),
        pytest.param([DEAD + 0.4, VOICE], id="left dead with an offset"),
        pytest.param([VOICE, -VOICE], id="opposite phase"),
        pytest.param([VOICE, -0.9 * VOICE + 0.1 * ROOM], id="nearly opposite phase"),
        pytest.param([DEAD, DEAD, VOICE, DEAD, DEAD, DEAD], id="centre of six"),
    ],
)
def test_a_voice_is_not_lost_in_the_mean(channels: list[np.ndarray], kind: str) -> None:
    np.testing.assert_allclose(read(wav(np.stack(channels, axis=1), kind=kind)).samples, VOICE, atol=2**-14)


def test_channels_that_go_together_are_averaged_against_their_noise() -> None:
    rng = np.random.default_rng(6)
    array = np.stack([VOICE + 0.05 * rng.standard_normal(1600) for _ in range(8)], axis=1)
    error = read(wav(np.clip(array, -1, 1))).samples - VOICE
    assert error.std() < 0.05 / 8**0.5 * 1.1


def test_silence_on_all_channels_is_silence() -> None:
    assert not read(wav(np.zeros((1600, 2)))).samples.any()


WIDE = chunk(b"ds64", struct.pack("<QQQI", 0, len(SOUND) - 8, 160, 0))


@pytest.mark.parametrize("name", [b"RF64", b"BW64"])
def test_wide_files_have_their_sizes_in_ds64(name: bytes) -> None:
    body = stored(tone(16000, 0.01), "s16")
    note = chunk(b"LIST", b"not sound" * 30)
    data = riff(WIDE, fmt(), chunk(b"data", body, 0xFFFFFFFF), note, size=0xFFFFFFFF)
    plain = read(riff(fmt(), chunk(b"data", body))).samples
    np.testing.assert_array_equal(read(name + data[4:]).samples, plain)
    assert len(read(data).samples) > len(plain), "in a RIFF file the chunk ds64 means nothing"
    without = riff(fmt(), chunk(b"data", body, 0xFFFFFFFF), size=0xFFFFFFFF)
    np.testing.assert_array_equal(read(name + without[4:]).samples, plain)
    lying = name + data[4:].replace(struct.pack("<Q", len(body)), struct.pack("<Q", 2**63))
    assert len(read(lying).samples) > len(plain), "a size beyond the end means to the end"


@pytest.mark.parametrize("peak", [1.5, 32768.0])
def test_loud_floats_keep_their_shape(peak: float) -> None:
    sound = tone(16000, 0.1, level=1.0)
    np.testing.assert_allclose(read(wav(sound * peak, kind="f32")).samples, sound / np.abs(sound).max(), atol=1e-6)


@pytest.mark.parametrize("kind", ["f32", "f64"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_floats_that_are_no_sound(kind: str, value: float) -> None:
    sound = tone(16000, 0.1)
    sound[77] = value
    with pytest.raises(InvalidInput, match="expected finite samples"):
        read(wav(sound, kind=kind))


@pytest.mark.parametrize(
    "data, error, words",
    [
        (b"", UnsupportedMedia, "got nothing"),
        (b"RIFF", UnsupportedMedia, "expected a WAV file"),
        (b"\xff\xfb\x90\x44" * 99, UnsupportedMedia, "expected a WAV file"),
        (b"RIFX" + riff(fmt(), SOUND)[4:], UnsupportedMedia, "begin with 52494658"),
        (riff(fmt(tag=0x55), SOUND), UnsupportedMedia, r"MP3 \(0x0055\)"),
        (riff(fmt(tag=7), SOUND), UnsupportedMedia, r"mu-law \(0x0007\)"),
        (riff(fmt(tag=0x1234), SOUND), UnsupportedMedia, r"format \(0x1234\)"),
        (riff(fmt(extensible=True).replace(GUID_TAIL, bytes(14)), SOUND), UnsupportedMedia, "0xFFFE"),
        (riff(), InvalidInput, "expected a fmt chunk, got the end"),
        (riff(fmt()), InvalidInput, "expected a data chunk, got the end"),
        (riff(SOUND, fmt()), InvalidInput, "got data first"),
        (riff(fmt(), fmt(), SOUND), InvalidInput, "got two"),
        (riff(chunk(b"fmt ", b"\1\0\1\0"), SOUND), InvalidInput, "at least 16 bytes, got 4"),
        (riff(fmt(tag=0xFFFE), SOUND), InvalidInput, "extensible fmt chunk of 40 bytes, got 16"),
        (riff(chunk(b"fmt ", b"", 0xFFFFFFF0), SOUND), InvalidInput, "expected 4294967280 bytes"),
        (riff(fmt(channels=0), SOUND), InvalidInput, "channels, got 0"),
        (riff(fmt(channels=33), SOUND), InvalidInput, "channels, got 33"),
        (riff(fmt(rate=0), SOUND), InvalidInput, "samples per second, got 0"),
        (riff(fmt(rate=7999), SOUND), InvalidInput, "got 7999"),
        (riff(fmt(rate=96001), SOUND), InvalidInput, "got 96001"),
        (riff(fmt(bits=12), SOUND), InvalidInput, "8 or 16 or 24 or 32 bits per sample, got 12"),
        (riff(fmt("f32", bits=16), SOUND), InvalidInput, "32 or 64 bits per sample, got 16"),
        (riff(fmt(frame=0), SOUND), InvalidInput, "2 bytes per frame, got 0"),
        (riff(fmt(frame=4), SOUND), InvalidInput, "2 bytes per frame, got 4"),
        (riff(fmt(), chunk(b"data", b"")), InvalidInput, "expected samples, got 0 bytes"),
        (riff(fmt(), chunk(b"data", b"\1")), InvalidInput, "expected samples, got 1 bytes"),
        (riff(fmt(), chunk(b"data", b"", 32000)), InvalidInput, "expected samples, got 0 bytes"),
        (riff(fmt(), *[chunk(b"junk", b"")] * 5000, SOUND), InvalidInput, "among the first 256"),
    ],
    ids=lambda value: value if isinstance(value, str) else getattr(value, "__name__", "wav"),
)
def test_refusals(data: bytes, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        read(data)
    assert type(caught.value) is error


def test_too_long_is_refused_before_anything_is_allocated() -> None:
    data = riff(fmt("u8", 8000), chunk(b"data", bytes(8000 * 3600)))
    tracemalloc.start()
    with pytest.raises(TooLarge, match=r"at most 60 seconds, got 3600\.0"):
        read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000
    with pytest.raises(TooLarge, match="at most 1000 bytes, got 1001"):
        decode(bytes(1001), max_seconds=60, max_bytes=1000)


def test_exactly_the_longest_is_read() -> None:
    assert read(wav(np.zeros(8000), 8000), seconds=1.0).seconds == 1.0
    with pytest.raises(TooLarge):
        read(wav(np.zeros(8001), 8000), seconds=1.0)


def test_decoding_takes_little_beside_its_result() -> None:
    data = riff(fmt("u8", 48000, 16), chunk(b"data", bytes(48000 * 16 * 20)))
    tracemalloc.start()
    audio = read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert audio.samples.nbytes == 48000 * 20 * 4
    assert peak < audio.samples.nbytes + 3_000_000


def outcome(data: bytes) -> None:
    """Decode hostile bytes: sound that keeps its promises, or a typed refusal."""
    try:
        audio = read(data)
    except (InvalidInput, TooLarge, UnsupportedMedia):
        return
    assert audio.samples.ndim == 1
    assert len(audio.samples) > 0
    assert np.isfinite(audio.samples).all()
    assert np.abs(audio.samples).max() <= 1
    assert 8000 <= audio.rate <= 96000
    assert audio.seconds <= 60


SEEDS = [wav(tone(16000, 0.004), kind=kind, extensible=extensible) for kind in KINDS for extensible in (False, True)]


@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 7)), max_size=12))
@settings(max_examples=600, deadline=None)
def test_flipped_bits(seed: bytes, flips: list[tuple[int, int]]) -> None:
    data = bytearray(seed)
    for at, bit in flips:
        data[at % min(len(data), 100)] ^= 1 << bit
    outcome(bytes(data))


@given(st.sampled_from(SEEDS), st.integers(0, 200), st.integers(0, 200), st.binary(max_size=40))
@settings(max_examples=400, deadline=None)
def test_cut_and_spliced(seed: bytes, first: int, second: int, between: bytes) -> None:
    outcome(seed[:first] + between + seed[second:])


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_noise_behind_a_riff_header(noise: bytes) -> None:
    outcome(noise)
    outcome(riff(noise))
    outcome(riff(fmt("f64"), chunk(b"data", noise)))
