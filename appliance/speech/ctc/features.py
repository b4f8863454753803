"""From samples to what a recogniser's network takes: Kaldi's filter banks, FunASR's front end, wav2vec2's waveform.

Filter banks are computed by kaldi-native-fbank (Apache-2.0), as Kaldi does. `WavFrontend` of FunASR (MIT,
funasr/frontends/wav_frontend.py) joins seven of them to one of every six (low frame rate: G. Pundak, T. Sainath, "Lower
Frame Rate Neural Network Acoustic Models", Interspeech 2016). Everything here takes samples at 16 kHz.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.errors import Unavailable
from appliance.speech.ctc.cmvn import Cmvn
from appliance.speech.resample import RATE

Samples = npt.NDArray[np.float32]
Features = npt.NDArray[np.float32]

MELS = 80
"""Filter banks."""
SHIFT_S = 0.010
"""Seconds from one frame to the next."""
WINDOW = RATE * 25 // 1000
"""Samples of one frame: 25 ms."""
JOINED, STEP = 7, 6
"""Frames that one of low rate is made of, and by which it goes on (lfr_m, lfr_n)."""
_INT16 = 32768.0
"""FunASR's networks were trained on samples as large as integers of 16 bit."""
_VARIANCE_FLOOR = 1e-7


def funasr(samples: Samples, cmvn: Cmvn | None = None) -> Features:
    """FunASR's front end: `samples` (n,) to features of shape (ceil(frames / 6), 560), float32.

    Hamming window, no dither, banks from 20 Hz to 8 kHz, only whole windows; shorter than one window: (0, 560).
    Raises Unavailable where kaldi-native-fbank cannot be imported.
    """
    joined = low_rate(_fbank(samples * np.float32(_INT16), window="hamming", whole=True, high=0.0))
    return joined if cmvn is None else cmvn(joined)


def low_rate(frames: Features) -> Features:
    """Join `frames` (t, d) as FunASR does: seven at a time, every sixth, shape (ceil(t / 6), 7 d).

    Three copies of the first frame stand before the first, and copies of the last behind the last.
    """
    count, width = frames.shape
    if not count:
        return np.zeros((0, JOINED * width), np.float32)
    steps = -(-count // STEP)
    before = (JOINED - 1) // 2
    wanted = (steps - 1) * STEP + JOINED
    index = np.clip(np.arange(wanted) - before, 0, count - 1)
    padded = frames[index]
    return np.concatenate([padded[at : at + (steps - 1) * STEP + 1 : STEP] for at in range(JOINED)], axis=1)


def icefall(samples: Samples) -> Features:
    """The features of icefall's recipes (lhotse, sherpa-onnx): `samples` (n,) to (round(n / 160), 80), float32.

    Povey window, no dither, banks from 20 Hz to 7.6 kHz, reflected at both ends. Raises as `funasr` does.
    """
    return _fbank(samples, window="povey", whole=False, high=-400.0)


def wav2vec2(samples: Samples, *, normalise: bool = True) -> Samples:
    """The waveform as wav2vec2 takes it: mean 0 and variance 1 where `normalise`, as do_normalize of its processor."""
    if not normalise or not len(samples):
        return np.ascontiguousarray(samples, np.float32)
    mean, variance = samples.mean(dtype=np.float64), samples.var(dtype=np.float64)
    return np.asarray((samples - mean) / np.sqrt(variance + _VARIANCE_FLOOR), np.float32)


def _fbank(samples: Samples, *, window: str, whole: bool, high: float) -> Features:
    """Logarithms of 80 banks, shape (t, 80); `whole`: only frames that lie whole in the sound (Kaldi's snip_edges)."""
    knf = library()
    options = knf.FbankOptions()
    frame, mel = options.frame_opts, options.mel_opts
    frame.samp_freq, frame.dither, frame.window_type, frame.snip_edges = float(RATE), 0.0, window, whole
    frame.frame_length_ms, frame.frame_shift_ms = 25.0, 10.0
    mel.num_bins, mel.low_freq, mel.high_freq = MELS, 20.0, high
    options.energy_floor = 0.0
    bank = knf.OnlineFbank(options)
    # A window that is reflected at the edge of too short a sound would read beyond its other end.
    if len(samples) >= WINDOW:
        bank.accept_waveform(float(RATE), np.ascontiguousarray(samples, np.float32))
        bank.input_finished()
    count = bank.num_frames_ready if len(samples) >= WINDOW else 0
    return np.stack([bank.get_frame(n) for n in range(count)]) if count else np.zeros((0, MELS), np.float32)


def library() -> Any:
    """kaldi_native_fbank; raises Unavailable where it cannot be imported."""
    try:
        import kaldi_native_fbank  # lazy: a native library that only these recognisers need
    except (ImportError, OSError) as error:
        raise Unavailable(
            f"speech recognition: expected the package kaldi-native-fbank, got {error}",
            remedy=("请运行 `pip install kaldi-native-fbank`", "Run `pip install kaldi-native-fbank`"),
        ) from error
    return kaldi_native_fbank
