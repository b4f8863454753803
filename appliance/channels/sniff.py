"""Recordings that are no WAV: named by their first bytes, and decoded where libsndfile is installed.

The appliance itself reads WAV alone. Where the package soundfile can be imported, which brings libsndfile
(libsndfile.github.io, LGPL, its own file), FLAC, Ogg, MP3, AIFF and what else that library knows are read too.
"""

from __future__ import annotations

from io import BytesIO

from appliance.errors import InvalidInput, TooLarge, UnsupportedMedia
from appliance.speech.encode import wav_of
from appliance.speech.wav import MAX_CHANNELS, MAX_RATE, MIN_RATE

_MARKS = (
    (0, b"fLaC", "FLAC"),
    (0, b"OggS", "Ogg"),
    (0, b"ID3", "MP3"),
    (4, b"ftyp", "MP4"),
    (0, b"\x1a\x45\xdf\xa3", "WebM"),
    (0, b"FORM", "AIFF"),
    (0, b"caff", "CAF"),
    (0, b"#!AMR", "AMR"),
)


def format_of(data: bytes) -> str:
    """The format that the first bytes of a recording say; `unknown` for anything else."""
    if data[:4] in (b"RIFF", b"RF64", b"BW64") and data[8:12] == b"WAVE":
        return "WAV"
    if len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0:  # a frame of MPEG audio, or of AAC in ADTS
        return "AAC" if data[1] & 0xF6 == 0xF0 else "MP3"
    return next((name for at, mark, name in _MARKS if data[at : at + len(mark)] == mark), "unknown")


def to_wav(data: bytes, *, max_seconds: float) -> bytes:
    """`data` itself when it is a WAV file, else the same sound as one, of 16 bits.

    Raises UnsupportedMedia (libsndfile is not installed, or does not know the format), TooLarge (longer than
    `max_seconds`) or InvalidInput (damaged, or its rate or channels beyond what is heard).
    """
    found = format_of(data)
    if found == "WAV":
        return data
    try:
        import soundfile  # lazy and optional: nothing else needs it
    except (ImportError, OSError) as error:
        raise UnsupportedMedia(
            f"file: expected WAV, the only format that is read without libsndfile, got {found}",
            remedy=(
                "请发送 WAV 录音；或运行 `pip install soundfile` 以读取 FLAC、Ogg 和 MP3",
                "Send a WAV recording, or run `pip install soundfile` to have FLAC, Ogg and MP3 read",
            ),
        ) from error
    try:
        with soundfile.SoundFile(BytesIO(data)) as file:
            rate, channels, seconds = file.samplerate, file.channels, file.frames / max(file.samplerate, 1)
            if not (MIN_RATE <= rate <= MAX_RATE and 1 <= channels <= MAX_CHANNELS):
                raise InvalidInput(
                    f"file: expected {MIN_RATE} to {MAX_RATE} samples per second and 1 to {MAX_CHANNELS} channels, "
                    f"got {rate} and {channels}"
                )
            # A header may promise less than there is: no more than the limit is decoded either way.
            samples = file.read(int(max_seconds * rate) + 1, dtype="int16", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise UnsupportedMedia(
            f"file: expected WAV or another format that libsndfile reads, got {found}",
            remedy=("请发送 WAV 录音", "Send a WAV recording"),
        ) from error
    if seconds > max_seconds or len(samples) > max_seconds * rate:
        raise TooLarge(f"recording: expected at most {max_seconds:g} seconds, got more")
    if not len(samples):
        raise InvalidInput(f"file: expected sound, got a {found} file without any")
    return wav_of(samples.astype("<i2").tobytes(), rate=rate, width=2, channels=channels)
