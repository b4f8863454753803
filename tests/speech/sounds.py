"""Sounds and WAV files for the tests of this room."""

from __future__ import annotations

import struct
import subprocess
from functools import cache
from pathlib import Path

import numpy as np

GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")


def tone(rate: int, seconds: float, *, pitch: float = 440.0, level: float = 0.5) -> np.ndarray:
    return level * np.sin(2 * np.pi * pitch * np.arange(round(rate * seconds)) / rate)


@cache
def not_speech(rate: int = 16000, seconds: float = 8.0) -> dict[str, np.ndarray]:
    """Sounds of a shop in which nobody speaks, by name."""
    noise = np.random.default_rng(7)
    at = np.arange(round(rate * seconds)) / rate
    spectrum = np.fft.rfft(noise.standard_normal(len(at)))
    pitches = np.fft.rfftfreq(len(at), 1 / rate)
    return {
        "silence": np.zeros(len(at)),
        "white noise": 0.1 * noise.standard_normal(len(at)),
        "pink noise": 30 * np.fft.irfft(spectrum / np.sqrt(np.arange(len(spectrum)) + 1), len(at)),
        "air conditioning": np.fft.irfft(spectrum / np.sqrt(1 + (pitches / 300) ** 4), len(at)),
        "clicks": np.where(np.arange(len(at)) % (rate * 9 // 16) < rate // 800, 0.9, 0.0),
        "mains hum": 0.3 * np.sin(2 * np.pi * 50 * at) + 0.1 * np.sin(2 * np.pi * 150 * at),
        "chord": sum(0.1 * np.sin(2 * np.pi * pitch * at) for pitch in (220, 277, 330, 440)),
        "scanner beeps": 0.5 * np.sin(2 * np.pi * 2700 * at) * (at % 1 < 0.15),
        "bursts of noise": 0.3 * noise.standard_normal(len(at)) * (at % 0.7 < 0.1),
        "offset": np.full(len(at), 0.5),
        "full-scale square": np.sign(np.sin(2 * np.pi * 200 * at)),
    }


def stored(samples: np.ndarray, kind: str) -> bytes:
    """Samples in [-1, 1) as bytes of `kind`: u8, s16, s24, s32, f32 or f64."""
    if kind == "u8":
        return (np.round(samples * 127) + 128).astype(np.uint8).tobytes()
    if kind == "s24":
        return np.round(samples * (2**23 - 1)).astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    if kind[0] == "s":
        bits = int(kind[1:])
        return np.round(samples * (2.0 ** (bits - 1) - 1)).astype(f"<i{bits // 8}").tobytes()
    return samples.astype(f"<f{int(kind[1:]) // 8}").tobytes()


def chunk(name: bytes, body: bytes, size: int | None = None) -> bytes:
    return name + struct.pack("<I", len(body) if size is None else size) + body + b"\0" * (len(body) & 1)


def fmt(kind: str = "s16", rate: int = 16000, channels: int = 1, *, extensible: bool = False, **changes: int) -> bytes:
    bits = int(kind[1:])
    tag = 3 if kind[0] == "f" else 1
    values = {"tag": 0xFFFE if extensible else tag, "channels": channels, "rate": rate, "bits": bits}
    values["frame"] = channels * bits // 8
    values.update(changes)
    body = struct.pack(
        "<HHIIHH",
        values["tag"],
        values["channels"],
        values["rate"],
        rate * values["frame"] & 0xFFFFFFFF,
        values["frame"],
        values["bits"],
    )
    if extensible:
        body += struct.pack("<HHIH", 22, bits, 0, tag) + GUID_TAIL
    return chunk(b"fmt ", body)


def riff(*chunks: bytes, size: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def wav(samples: np.ndarray, rate: int = 16000, kind: str = "s16", *, extensible: bool = False) -> bytes:
    """A WAV file of samples, shape (n,) or (n, channels)."""
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    return riff(
        fmt(kind, rate, channels, extensible=extensible),
        chunk(b"data", stored(np.ascontiguousarray(samples).reshape(-1), kind)),
    )


def spoken(espeak: str, text: str, voice: str = "cmn-latn-pinyin", speed: int = 160) -> bytes:
    """What espeak-ng says, as a WAV at 22,050 Hz with the sizes that a pipe gets."""
    return subprocess.run(
        [espeak, "-v", voice, "-s", str(speed), "--stdout", text], check=True, capture_output=True, timeout=30
    ).stdout


def vosk_folder(path: Path, behaviour: str = "hear") -> Path:
    """A folder with every file of a Vosk model, none of them a model; `behaviour` is for the fake vosk."""
    names = "am/final.mdl conf/model.conf conf/mfcc.conf graph/HCLr.fst graph/Gr.fst graph/disambig_tid.int"
    ivector = "final.dubm final.ie final.mat global_cmvn.stats online_cmvn.conf splice.conf"
    for name in [*names.split(), *(f"ivector/{name}" for name in ivector.split())]:
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("not a model\n")
    (path / "behaviour").write_text(behaviour)
    return path
