"""What a recogniser that was trained here hears of a sound: log-mel filter banks, and the pitch for the tones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from appliance.speech.ctc.features import MELS, Samples, library
from appliance.speech.ctc.pitch import TRACKS, WINDOW, Tracker, periodicity
from appliance.speech.resample import RATE

HOP = RATE // 100
"""Samples from one frame to the next."""
BANDS = MELS + TRACKS
"""Numbers of a frame: logarithms of the power in each band, then what is told of the pitch."""
_MEL_WINDOW = 25 * RATE // 1000
_FLOOR = -15.9424
"""Log-mel of digital silence: logarithm of the smallest float that Kaldi adds."""
SILENCE = np.concatenate((np.full(MELS, _FLOOR, np.float32), np.zeros(TRACKS, np.float32)))
"""The frame of digital silence, shape (BANDS,): what stands where no sound is, as behind the end."""
HISS_DB = -80.0
"""Level of the hiss that is added to every sound, in dB of full scale: that of a sound card.

Speech out of digital silence, as synthesisers and gated microphones give it, is nothing that training knows: without
it the first and last syllables of clauses were lost (tests/app/test_demo.py holds that)."""
_HISS = np.random.default_rng(7).standard_normal(RATE).astype(np.float32) * np.float32(10 ** (HISS_DB / 20))


class Bank:
    """Log-mel filter banks and the pitch of a sound that comes in pieces, whole frames only.

    Filter banks are Kaldi's: povey window, 20 Hz to 7.6 kHz; the dither is ours (`HISS_DB`), the same every time.
    Training computes its features by this class, too; the weights that ship were trained before there was a hiss here.
    """

    def __init__(self) -> None:
        """Begin a sound. Raises Unavailable where kaldi-native-fbank cannot be imported."""
        knf = library()
        options = knf.FbankOptions()
        options.frame_opts.samp_freq, options.frame_opts.dither = float(RATE), 0.0
        options.mel_opts.num_bins, options.mel_opts.low_freq, options.mel_opts.high_freq = MELS, 20.0, -400.0
        options.energy_floor = 0.0
        self._bank = knf.OnlineFbank(options)
        self._pitch = Tracker()
        self._taken = 0
        self._number = 0
        self._before = _MEL_WINDOW - WINDOW
        """Number of the first sample of `_heard`, which begins with silence."""
        self._heard = np.zeros(-self._before, np.float32)

    def __call__(self, samples: Samples) -> list[npt.NDArray[np.float32]]:
        """Hear the next `samples` (n,) at 16 kHz; the frames (BANDS,) that they complete."""
        if len(samples):
            # By the number of the sample, so that a sound in pieces is the same sound.
            hiss = _HISS[np.arange(self._number, self._number + len(samples)) % RATE]
            self._number = (self._number + len(samples)) % RATE
            samples = np.asarray(samples, np.float32) + hiss
            self._bank.accept_waveform(float(RATE), samples)
            self._heard = np.concatenate((self._heard, samples))
        ready = self._bank.num_frames_ready
        found = []
        for at in range(self._taken, ready):
            # Both end with the same sample; before the first there is silence.
            end = at * HOP + _MEL_WINDOW - self._before
            mel = np.array(self._bank.get_frame(at), np.float32)
            found.append(np.concatenate((mel, self._pitch(*periodicity(self._heard[end - WINDOW : end])))))
        self._taken = ready
        past = ready * HOP + _MEL_WINDOW - WINDOW - self._before  # what no frame needs any more
        if past > 0:
            self._heard, self._before = self._heard[past:], self._before + past
        return found
