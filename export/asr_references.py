"""Records what others make of a sound, for tests where they cannot be had: `python -m export.asr_references [FOLDER]`.

Needs `pip install funasr==1.4.16 torchaudio==2.11.1` beside the export environment: FunASR's WavFrontend (MIT) and
torchaudio's port of Kaldi's filter banks (BSD). Writes features.npz into tests/speech/ctc/references:

- sound: 0.8 s at 16 kHz, int16: two voices' worth of buzz, a chirp, noise and a silence.
- shift, scale: a made-up CMVN of 560 values, as am.mvn holds it.
- funasr: WavFrontend's features of the sound with that CMVN, (frames, 560).
- short: the same of its first 430 samples, three frames' worth less than one of low rate.
- lfr_T: which frame stands where when T frames are joined (apply_lfr), for T from 1 to 20.
- icefall: torchaudio's fbank with icefall's options, (frames, 80).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

FOLDER = Path(__file__).parent.parent / "tests" / "speech" / "ctc" / "references"
RATE = 16_000


def sound() -> np.ndarray:
    """0.8 s of what voices are made of, int16."""
    at = np.arange(RATE * 8 // 10) / RATE
    noise = np.random.default_rng(11)
    buzz = sum(np.sin(2 * np.pi * pitch * n * at) / n for pitch in (110, 235) for n in range(1, 20))
    chirp = np.sin(2 * np.pi * (200 * at + 2500 * at**2))
    mixed = 0.1 * buzz * np.sin(2 * np.pi * 3 * at) ** 2 + 0.1 * chirp + 0.02 * noise.standard_normal(len(at))
    mixed[9000:10500] = 0
    return np.round(np.clip(mixed, -1, 1) * 32767).astype(np.int16)


def main() -> None:
    """Write features.npz."""
    from funasr.frontends.wav_frontend import WavFrontend, apply_lfr
    from torchaudio.compliance import kaldi

    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    heard = sound()
    samples = torch.from_numpy(heard.astype(np.float32) / 32768)
    numbers = np.random.default_rng(12)
    shift = numbers.uniform(-12, -5, 560).astype(np.float32)
    scale = numbers.uniform(0.1, 0.4, 560).astype(np.float32)
    with tempfile.TemporaryDirectory() as temporary:
        mvn = Path(temporary) / "am.mvn"
        mvn.write_text(
            "<Nnet>\n<Splice> 560 560\n[ 0 ]\n<AddShift> 560 560\n<LearnRateCoef> 0 [ "
            + " ".join(map(repr, shift.tolist()))
            + " ]\n<Rescale> 560 560\n<LearnRateCoef> 0 [ "
            + " ".join(map(repr, scale.tolist()))
            + " ]\n</Nnet>\n"
        )
        front = WavFrontend(cmvn_file=str(mvn), lfr_m=7, lfr_n=6, dither=0.0)
    made = {
        "sound": heard,
        "shift": shift,
        "scale": scale,
        "funasr": front(samples[None], torch.tensor([len(samples)]))[0][0].numpy(),
        "short": front(samples[None, :430], torch.tensor([430]))[0][0].numpy(),
        "icefall": kaldi.fbank(
            samples[None], num_mel_bins=80, dither=0.0, snip_edges=False, high_freq=-400.0, energy_floor=0.0
        ).numpy(),
    }
    for count in range(1, 21):
        frames = torch.arange(count, dtype=torch.float32)[:, None]
        made[f"lfr_{count}"] = apply_lfr(frames, 7, 6).numpy().astype(np.int8)
    np.savez_compressed(folder / "features.npz", **made)
    print({name: value.shape for name, value in made.items()})


if __name__ == "__main__":
    main()
