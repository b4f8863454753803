"""A sound card that exists only in software: a PulseAudio server of its own with a microphone and a loudspeaker.

`mic` is a sink whose monitor is the default source: what is played into it is what the microphone hears. `spk` is the
default sink; its monitor is what a customer would hear. Both are null sinks without rewinds, and `paplay` is not told
a latency: with either otherwise, one recording in four had holes (speech.md, section 1).

Code under test runs best in a process of its own with `card.environ`, for PortAudio and ALSA read their configuration
once. In this process `card.adopt(monkeypatch)` does, before or after sounddevice was imported, while no stream is open.

    @pytest.fixture
    def card() -> Iterator[SoundCard]:
        with SoundCard() as card:
            yield card
"""

from __future__ import annotations

import ctypes.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import numpy as np
import pytest

from tests.conftest import REPOSITORY, lacking

PATIENCE_S = 20.0
"""Longest wait for the server to answer; it takes 0.1 s on an idle machine."""
SPEAKER_RATE = 48_000
"""Samples per second of the loudspeaker, mono."""

_PULSE = """load-module module-native-protocol-unix auth-anonymous=1 socket={folder}/native
load-module module-null-sink sink_name=mic rate={rate} channels={channels} format=s16le norewinds=1
load-module module-null-sink sink_name=spk rate=48000 channels=1 format=s16le norewinds=1
set-default-sink spk
set-default-source mic.monitor
"""
_ALSA = """</usr/share/alsa/alsa.conf>
pcm.!default {{ type pulse server "unix:{folder}/native" }}
ctl.!default {{ type pulse server "unix:{folder}/native" }}
"""


def need_sound() -> None:
    """Skip where a package of the virtual sound card is missing, and name it; fail with CI=true."""
    for program in ("pulseaudio", "pactl", "paplay", "parec"):
        if shutil.which(program) is None:
            lacking(program, "pulseaudio" if program == "pulseaudio" else "pulseaudio-utils")
    if not [*Path("/usr").glob("lib*/alsa-lib/*pcm_pulse.so"), *Path("/usr/lib").glob("*/alsa-lib/*pcm_pulse.so")]:
        lacking("ALSA's way to PulseAudio", "libasound2-plugins")
    if ctypes.util.find_library("portaudio") is None:
        lacking("PortAudio", "libportaudio2")


class SoundCard:
    """The card; a context manager that starts its server and ends it, with everything that was started through it."""

    def __init__(self, *, rate: int = 16_000, channels: int = 1) -> None:
        """A microphone of `rate` and `channels` (16 bits); nothing runs yet."""
        self._shape = {"rate": rate, "channels": channels}
        self._server: subprocess.Popen[bytes] | None = None
        self._children: list[subprocess.Popen[bytes]] = []
        self.folder = Path()

    def __enter__(self) -> SoundCard:
        need_sound()
        # Not pytest's folder: the path of a socket has at most 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="card-"))
        for name in ("run", "home"):
            (self.folder / name).mkdir(mode=0o700)
        (self.folder / "pulse.pa").write_text(_PULSE.format(folder=self.folder, **self._shape))
        (self.folder / "asound.conf").write_text(_ALSA.format(folder=self.folder))
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in self._children:
            if child.poll() is None:
                child.kill()
            for pipe in (child.stdin, child.stdout, child.stderr):
                if pipe is not None:
                    pipe.close()
            child.wait()
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def added(self) -> dict[str, str]:
        """The variables that lead a program to this card."""
        return {
            "PULSE_SERVER": f"unix:{self.folder}/native",
            "PULSE_COOKIE": f"{self.folder}/cookie",
            "ALSA_CONFIG_PATH": f"{self.folder}/asound.conf",
            "XDG_RUNTIME_DIR": f"{self.folder}/run",
        }

    @property
    def environ(self) -> dict[str, str]:
        """This process' environment with `added`, and the repository as PYTHONPATH."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PULSE_")}
        return kept | self.added | {"PYTHONPATH": str(REPOSITORY)}

    def adopt(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make this process use the card: PortAudio looks at its devices again. No stream may be open."""
        for name, value in self.added.items():
            monkeypatch.setenv(name, value)
        if "sounddevice" in sys.modules:
            import sounddevice

            sounddevice._terminate()
            sounddevice._initialize()

    # The server and its accidents

    def start(self) -> None:
        """Start the server, and wait until it answers; once after `kill`, too."""
        command = ["pulseaudio", "-n", "-F", f"{self.folder}/pulse.pa", "--daemonize=no", "--exit-idle-time=-1"]
        command += ["--use-pid-file=no", f"--log-target=newfile:{self.folder}/pulse.log"]
        environ = self.environ | {"HOME": f"{self.folder}/home"}
        (self.folder / "native").unlink(missing_ok=True)  # a killed server leaves its socket
        self._server = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + PATIENCE_S
        while self._pactl("info").returncode:
            if self._server.poll() is not None or time.monotonic() > end:
                log = "".join(path.read_text() for path in self.folder.glob("pulse.log*"))
                raise AssertionError(f"pulseaudio did not start: {log[-2000:]}")
            time.sleep(0.05)

    def kill(self) -> None:
        """End the server at once, as the kernel does when memory is short (SIGKILL)."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None

    def restart(self) -> None:
        """Kill the server and start it again."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """Stop the server without ending it: nobody gets sound, and nobody an error."""
        assert self._server is not None
        self._server.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        assert self._server is not None
        self._server.send_signal(signal.SIGCONT)

    def mute(self, muted: bool = True) -> None:
        """Press or release the mute key of the microphone."""
        self.pactl("set-source-mute", "mic.monitor", "1" if muted else "0")

    def pactl(self, *arguments: str) -> str:
        """What `pactl ARGUMENTS` prints."""
        done = self._pactl(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _pactl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pactl", *arguments], env=self.environ, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )

    # Sound in and out

    def speak(self, wav: Path) -> subprocess.Popen[bytes]:
        """Play a WAV file into the microphone; `.wait()` for its end, or kill it."""
        return self.spawn("paplay", "--device=mic", str(wav))

    def listen(self, *, source: str = "spk.monitor") -> Listening:
        """Record what the loudspeaker plays, from now on."""
        raw = self.folder / f"heard-{time.monotonic_ns()}.raw"
        command = ["parec", f"--device={source}", "--format=float32le", f"--rate={SPEAKER_RATE}", "--channels=1"]
        return Listening(self.spawn(*command, "--latency-msec=20", str(raw)), raw)

    @contextmanager
    def heard(self) -> Iterator[Listening]:
        """`listen`, ended with the block; `.samples` may be read within and behind it."""
        listening = self.listen()
        try:
            yield listening
        finally:
            listening.stop()

    # Programs on this card

    def python(self, script: str, *arguments: str, timeout: float = 60.0) -> str:
        """Standard output of a Python script that has nothing but this card; it must end well."""
        command = [sys.executable, "-c", script, *arguments]
        done = subprocess.run(
            command, env=self.environ, capture_output=True, text=True, timeout=timeout, check=False, cwd=REPOSITORY
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def spawn(self, *command: str, **options: object) -> subprocess.Popen[bytes]:
        """Start a program on this card; it is killed with the card."""
        child = subprocess.Popen(command, env=self.environ, cwd=REPOSITORY, **options)  # type: ignore[call-overload]
        self._children.append(child)
        return child


class Listening:
    """What one `parec` records."""

    def __init__(self, child: subprocess.Popen[bytes], raw: Path) -> None:
        self._child, self._raw = child, raw

    @property
    def samples(self) -> np.ndarray:
        """So far: float32 at 48 kHz, shape (n,)."""
        data = self._raw.read_bytes() if self._raw.exists() else b""
        return np.frombuffer(data[: len(data) // 4 * 4], "<f4")

    def stop(self) -> np.ndarray:
        """End the recording; all of it."""
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGINT)
            self._child.wait(timeout=PATIENCE_S)
        return self.samples
