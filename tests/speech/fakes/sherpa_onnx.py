"""Fake sherpa_onnx package: says each syllable of a lexicon as a tone, through the part of the API that is used here.

Signatures and behaviour after sherpa-onnx 2.0.1; `tests/speech/tts/test_sherpa.py` runs on both where both are there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np


class OfflineTtsVitsModelConfig:
    def __init__(
        self,
        model: str,
        lexicon: str = "",
        tokens: str = "",
        data_dir: str = "",
        dict_dir: str = "",
        noise_scale: float = 0.667,
        noise_scale_w: float = 0.8,
        length_scale: float = 1.0,
    ) -> None:
        self.model, self.lexicon, self.tokens = model, lexicon, tokens


class OfflineTtsMatchaModelConfig:
    def __init__(
        self,
        acoustic_model: str,
        vocoder: str,
        lexicon: str = "",
        tokens: str = "",
        data_dir: str = "",
        dict_dir: str = "",
        noise_scale: float = 1.0,
        length_scale: float = 1.0,
    ) -> None:
        self.model, self.lexicon, self.tokens = acoustic_model, lexicon, tokens


class OfflineTtsKokoroModelConfig:
    def __init__(
        self,
        model: str,
        voices: str,
        tokens: str,
        lexicon: str = "",
        data_dir: str = "",
        dict_dir: str = "",
        length_scale: float = 1.0,
        lang: str = "",
    ) -> None:
        self.model, self.lexicon, self.tokens = model, lexicon, tokens


class OfflineTtsModelConfig:
    def __init__(
        self,
        vits: OfflineTtsVitsModelConfig | None = None,
        matcha: OfflineTtsMatchaModelConfig | None = None,
        kokoro: OfflineTtsKokoroModelConfig | None = None,
        num_threads: int = 1,
        debug: bool = False,
        provider: str = "cpu",
    ) -> None:
        self.network = vits or matcha or kokoro


class OfflineTtsConfig:
    def __init__(
        self,
        model: OfflineTtsModelConfig,
        rule_fsts: str = "",
        rule_fars: str = "",
        max_num_sentences: int = 1,
        silence_scale: float = 0.2,
    ) -> None:
        self.network = model.network

    def validate(self) -> bool:
        return self.network is not None and Path(self.network.model).is_file()


class GeneratedAudio:
    def __init__(self, samples: list[float], sample_rate: int) -> None:
        self.samples, self.sample_rate = samples, sample_rate


class OfflineTts:
    num_speakers = 1
    sample_rate = 16_000

    def __init__(self, config: OfflineTtsConfig) -> None:
        network = config.network
        assert network is not None
        if b"n_speakers" not in Path(network.model).read_bytes():
            if b"tones" not in Path(network.model).read_bytes():
                raise RuntimeError("Load model failed:Protobuf parsing failed.")
            sys.stderr.write("'n_speakers' does not exist in the metadata\n")
            sys.stderr.flush()
            sys.exit(-1)  # the real one ends the process too
        lines = Path(network.lexicon).read_text().splitlines()
        self._lexicon = {line.split()[0]: line.split()[1:] for line in lines}

    def generate(
        self,
        text: str,
        sid: int = 0,
        speed: float = 1.0,
        callback: Callable[[np.ndarray, float], int] | None = None,
    ) -> GeneratedAudio:
        sentences = [part for part in text.replace("。", "，").split("，") if part]
        samples: list[float] = []
        for number, sentence in enumerate(sentences, 1):
            for token in [token for character in sentence for token in self._lexicon.get(character, [])]:
                angle = np.arange(round(800 / speed), dtype=np.float32) * (len(token) + 2) / 20
                samples += [float(value) for value in 0.3 * np.sin(angle)]
            if callback and not callback(np.float32(samples), number / len(sentences)):
                break
        return GeneratedAudio(samples, self.sample_rate)
