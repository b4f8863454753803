"""Sound on its way out, and recordings by their first bytes."""

from __future__ import annotations

import io
import wave

import numpy as np
import pytest

from appliance.channels.sniff import format_of, to_wav
from appliance.channels.speaking import language_of
from appliance.errors import UnsupportedMedia
from appliance.speech.encode import pcm16, wav, wav_of
from appliance.speech.wav import decode
from appliance.values import Audio


def test_a_wav_file_is_what_the_standard_library_and_the_ears_read():
    sound = Audio(np.linspace(-1, 1, 4411, dtype=np.float32), 22_050)
    with wave.open(io.BytesIO(wav(sound))) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels(), file.getnframes()) == (
            22_050,
            2,
            1,
            4411,
        )
    heard = decode(wav(sound), max_seconds=1, max_bytes=1 << 20)
    np.testing.assert_allclose(heard.samples, sound.samples, atol=1e-4)


def test_full_scale_and_beyond_stay_inside_16_bits():
    loud = Audio(np.array([-2.0, -1.0, 0.0, 1.0, 2.0], np.float32), 16_000)
    assert np.frombuffer(pcm16(loud), "<i2").tolist() == [-32767, -32767, 0, 32767, 32767]
    square = Audio(np.sign(np.sin(np.arange(2000) / 9)).astype(np.float32), 16_000)  # a resampler overshoots its edges
    resampled = np.frombuffer(pcm16(square, 24_000), "<i2")
    assert len(resampled) == 3000
    assert resampled.max() == 32767


def test_nothing_said_is_an_empty_file():
    empty = Audio(np.zeros(0, np.float32), 22_050)
    with wave.open(io.BytesIO(wav(empty))) as file:
        assert file.getnframes() == 0
    assert pcm16(empty, 24_000) == b""


@pytest.mark.parametrize("width, channels", [(2, 1), (3, 1), (3, 2), (4, 2)])
def test_pieces_of_frames_are_cut_off_and_odd_sizes_padded(width, channels):
    data = wav_of(bytes(5 * width * channels + 1), rate=16_000, width=width, channels=channels)
    assert len(data) % 2 == 0
    assert int.from_bytes(data[4:8], "little") == len(data) - 8
    with wave.open(io.BytesIO(data)) as file:
        assert file.getnframes() == 5


@pytest.mark.parametrize(
    "data, name",
    [
        (b"RIFF\0\0\0\0WAVEfmt ", "WAV"),
        (b"RIFF\0\0\0\0AVI ", "unknown"),
        (b"fLaC", "FLAC"),
        (b"ID3\x04", "MP3"),
        (b"\xff\xfb\x90", "MP3"),
        (b"\xff\xf1\x50", "AAC"),
        (b"\0\0\0\x20ftypM4A ", "MP4"),
        (b"\x1a\x45\xdf\xa3", "WebM"),
        (b"\xff", "unknown"),
        (b"", "unknown"),
    ],
)
def test_formats_are_named_by_their_first_bytes(data, name):
    assert format_of(data) == name


def test_a_wav_file_stays_as_it_is_and_rubbish_is_refused():
    data = wav(Audio(np.zeros(10, np.float32), 16_000))
    assert to_wav(data, max_seconds=1) is data
    with pytest.raises(UnsupportedMedia, match="got unknown"):
        to_wav(b"rubbish" * 20, max_seconds=1)


@pytest.mark.parametrize(
    "tag, language", [("zh", "zh"), ("zh-CN", "zh"), ("EN_us", "en"), ("yue", None), ("", None), ("zho", None)]
)
def test_languages_of_tags(tag, language):
    assert language_of(tag) == language
