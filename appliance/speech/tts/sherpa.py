"""Neural voices through sherpa-onnx (github.com/k2-fsa/sherpa-onnx, Apache-2.0), where the package and a voice are.

A voice is a folder as the project's releases have it; which of its kinds it is, the files say: VITS (vits-melo-tts,
vits-piper, vits-zh-aishell3), Matcha (matcha-icefall-zh-baker, with a vocoder beside it) or Kokoro. The library ends
the whole process over a voice that it cannot read, so each is first loaded and heard in a child process. Checked
against sherpa-onnx 2.0.1.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from appliance.device.bill import holding
from appliance.errors import BackendFailed, InvalidInput, ModelCorrupt, ModelMissing, Unavailable
from appliance.speech.tts.reading import plainly, spoken
from appliance.speech.tts.voice import joined
from appliance.values import Audio

_REHEARSAL_S = 180.0
_VOCODERS = ("vocos", "hifigan", "vocoder")
_INSTALL = ("请运行 `pip install sherpa-onnx`", "Run `pip install sherpa-onnx`")
_SAMPLES = {"zh": "你好。", "en": "Hello."}

# The path list is handed over: the child must find the sherpa_onnx that this process would import, and no other.
_SCRIPT = """
import json, resource, sys
sys.path[:], folder, kind, files, text = json.loads(sys.argv[1])
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
from appliance.speech.tts.sherpa import Layout, opened
samples = opened(Layout(kind, files), threads=1).generate(text).samples
sys.exit(0 if len(samples) else 5)
"""


@dataclass(frozen=True, slots=True)
class Layout:
    """What a folder holds, by sherpa-onnx's own names."""

    kind: str
    """`vits`, `matcha` or `kokoro`."""
    files: Mapping[str, str]
    """Paths by the names of the parameters of that kind's config; `rule_fsts` among them where there are any."""


class SherpaVoice:
    """One voice of sherpa-onnx. Thread-safe; sentences are made one at a time. Constructing one touches nothing."""

    def __init__(
        self,
        folder: Path,
        *,
        languages: tuple[str, ...] = ("zh",),
        speaker: int = 0,
        speed: float = 1.0,
        threads: int = 1,
        telephone: bool = True,
        rehearsed: bool = False,
    ) -> None:
        """Use the voice in `folder`, which speaks `languages`, as its `speaker`, `speed` times as fast.

        `rehearsed` says that this very folder has been loaded before, and saves that second load. Raises InvalidInput
        for a speed beyond 0.5 to 2.
        """
        if not 0.5 <= speed <= 2.0:
            raise InvalidInput(f"sherpa-onnx: expected a speed of 0.5 to 2, got {speed}")
        self.folder = folder
        self.languages = languages
        self.name = f"sherpa-onnx:{folder.name}"
        self._speaker, self._speed, self._threads = speaker, speed, threads
        self._telephone = telephone
        self._rehearsed = rehearsed
        self._lock = threading.Lock()
        self._tts: Any = None
        self._stops = 0

    def probe(self) -> None:
        """Load the voice, after a rehearsal in a child process; seconds. A second call does nothing.

        Raises Unavailable where the package is not installed, ModelMissing or ModelCorrupt for the folder.
        """
        with self._lock:
            self._loaded()

    def say(self, text: str, language: str) -> Audio:
        """Say `text` at the voice's rate; raises as the contract says, ModelMissing and ModelCorrupt as `probe`."""
        if language not in self.languages:
            raise Unavailable(f"{self.name}: expected to speak {language!r}, got a voice for {self.languages}")
        said = plainly(spoken(text, language, telephone=self._telephone))
        if not said:
            return joined([])
        stops = self._stops
        with holding(self._lock):
            tts = self._loaded()

            def going_on(samples: Any, progress: float) -> int:
                return int(self._stops == stops)

            try:
                made = tts.generate(said, sid=self._speaker, speed=self._speed, callback=going_on)
                samples = np.asarray(made.samples, np.float32).reshape(-1)
            except Exception as error:  # the library raises nothing narrower
                raise BackendFailed(f"{self.name}: expected speech, got {type(error).__name__}") from error
        if self._stops != stops:
            raise Unavailable(f"{self.name}: expected to finish, got stopped", retry_after=1)
        if not len(samples) or not np.isfinite(samples).all():
            raise BackendFailed(
                f"{self.name}: expected finite samples, got {len(samples)} of them for {len(said)} characters"
            )
        return joined([(said, Audio(np.clip(samples, -1.0, 1.0), int(made.sample_rate)))])

    def stop(self) -> None:
        """Break off the sentence that is being made, at the end of its present piece."""
        self._stops += 1

    def close(self) -> None:
        """Stop and free the voice; `probe` or `say` loads it again."""
        self.stop()
        with self._lock:
            self._tts = None

    def _loaded(self) -> Any:
        if self._tts is None:
            layout = layout_of(self.folder)
            if not self._rehearsed:
                rehearse(self.folder, layout, _SAMPLES[self.languages[0]])
                self._rehearsed = True
            self._tts = opened(layout, threads=self._threads)
            speakers = int(self._tts.num_speakers)
            if not 0 <= self._speaker < max(1, speakers):
                self._tts = None
                raise Unavailable(f"{self.name}: expected a speaker below {max(1, speakers)}, got {self._speaker}")
        return self._tts


def layout_of(folder: Path) -> Layout:
    """What kind of voice `folder` is; raises ModelMissing (no folder) or ModelCorrupt naming what is not there."""
    if not folder.is_dir():
        raise ModelMissing(f"expected the voice folder {folder}, found none")
    models = sorted(folder.glob("*.onnx"))
    vocoders = [model for model in models if model.name.startswith(_VOCODERS)]
    networks = [model for model in models if model not in vocoders and ".int8" not in model.name] or [
        model for model in models if model not in vocoders
    ]
    if not networks or not (folder / "tokens.txt").is_file():
        raise ModelCorrupt(f"voice {folder}: expected a network (*.onnx) and tokens.txt, got {_names(folder)}")
    files = {"tokens": str(folder / "tokens.txt")}
    if lexicons := sorted(folder.glob("lexicon*.txt")):
        files["lexicon"] = ",".join(map(str, lexicons))
    for parameter, name in (("data_dir", "espeak-ng-data"), ("dict_dir", "dict")):
        if (folder / name).is_dir():
            files[parameter] = str(folder / name)
    # Numbers, dates and telephone numbers are words by now; only the rule for words of several readings is of use.
    if rules := sorted(folder.glob("*heteronym*.fst")):
        files["rule_fsts"] = ",".join(map(str, rules))
    if (folder / "voices.bin").is_file():
        return Layout("kokoro", files | {"model": str(networks[0]), "voices": str(folder / "voices.bin")})
    if vocoders:
        return Layout("matcha", files | {"acoustic_model": str(networks[0]), "vocoder": str(vocoders[0])})
    return Layout("vits", files | {"model": str(networks[0])})


def opened(layout: Layout, *, threads: int) -> Any:
    """sherpa-onnx's OfflineTts of `layout`. Raises Unavailable (no package) or ModelCorrupt."""
    try:
        import sherpa_onnx
    except (ImportError, OSError) as error:
        raise Unavailable(f"speech: expected the package sherpa-onnx, got {error}", remedy=_INSTALL) from error
    kinds = {
        "vits": sherpa_onnx.OfflineTtsVitsModelConfig,
        "matcha": sherpa_onnx.OfflineTtsMatchaModelConfig,
        "kokoro": sherpa_onnx.OfflineTtsKokoroModelConfig,
    }
    files = dict(layout.files)
    rules = files.pop("rule_fsts", "")
    try:
        model = sherpa_onnx.OfflineTtsModelConfig(
            **{layout.kind: kinds[layout.kind](**files)}, num_threads=threads, provider="cpu"
        )
        config = sherpa_onnx.OfflineTtsConfig(model=model, rule_fsts=rules, max_num_sentences=1)
        if not config.validate():
            raise ModelCorrupt(f"voice: expected files of a {layout.kind} voice, got {', '.join(files.values())}")
        return sherpa_onnx.OfflineTts(config)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ModelCorrupt(f"voice: expected a {layout.kind} voice that loads, got {error}") from error


def rehearse(folder: Path, layout: Layout, text: str, *, timeout: float = _REHEARSAL_S) -> None:
    """Load `layout` and say `text` in a child process. Raises Unavailable (no package) or ModelCorrupt."""
    arguments = json.dumps([sys.path, str(folder), layout.kind, dict(layout.files), text])
    command = [sys.executable, "-c", _SCRIPT, arguments]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        raise ModelCorrupt(f"voice {folder}: expected to speak within {timeout:g} s, got no end") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        if said and "expected the package sherpa-onnx" in said[-1]:
            raise Unavailable(said[-1].partition(": ")[2], remedy=_INSTALL)
        reason = "".join(c if c.isprintable() else "?" for c in (said[-1] if said else "no reason given")[:300])
        raise ModelCorrupt(f"voice {folder}: expected it to speak, got exit status {done.returncode}: {reason}")


def _names(folder: Path) -> str:
    return ", ".join(sorted(path.name for path in folder.iterdir())[:20]) or "nothing"
