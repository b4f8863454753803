"""Everybody who comes to a kiosk: talkers, photographers, speakers, typists, watchers, and some with bad manners.

Run in a process of its own by benchmarks.soak: `python -m benchmarks.visitors URL SECONDS TALKERS [--mixed] [--hears]`
prints one JSON object. Without --mixed only talkers come; without --hears nobody sends a whole recording, because the
appliance has no recogniser: its 503 `unavailable` says so, and is neither an answer nor a refusal of a full house.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import math
import random
import struct
import sys
import wave
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from urllib.parse import urlsplit

from benchmarks.tally import count
from benchmarks.users import PATIENCE_S, SPARE_FILES, Crowd, Habit, allow_files, case_pictures
from benchmarks.wire import User

PHOTOGRAPHERS, SHOWERS, SPEAKERS, TYPISTS, WATCHERS, DAWDLERS = 1, 2, 3, 4, 6, 12
TYPED = ("xiyiye", "xyy", "洗衣液", "niunai", "cesuo", "tuihuo", "shampoo", "SF1392847561002")
"""What is typed at the page, key by key."""
HABIT = Habit((1.0, 3.0))


def recording(seconds: float = 1.0, rate: int = 16000) -> bytes:
    """A tone as a WAV file."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        frames = (round(9000 * math.sin(n / 7)) for n in range(int(seconds * rate)))
        file.writeframes(b"".join(struct.pack("<h", frame) for frame in frames))
    return out.getvalue()


def malformed(number: int) -> bytes:
    """Recordings that are none."""
    whole = recording(0.2)
    return (
        whole[:30],
        b"OggS" + whole[4:],
        whole[:22] + b"\0\0" + whole[24:],  # no channels
        whole[:24] + b"\xff\xff\xff\xff" + whole[28:],  # four gigahertz
        b"",
    )[number % 5]


class Visitors(Crowd):
    """Users of every kind, and what became of those that are no customers."""

    def __init__(self, url: str, seconds: float, hears: bool) -> None:
        super().__init__(url, "", HABIT, seconds)
        self._hears = hears
        parts = urlsplit(url)
        self._at = (parts.hostname or "127.0.0.1", parts.port or 80)
        self.spoken: dict[str, int] = {}
        """Answers to whole recordings, by status."""
        self.refused: dict[str, int] = {}
        """Answers to broken recordings: 4xx, or a deliberate 503."""
        self.typed: dict[str, int] = {}
        """Answers to what was typed so far, by status."""
        self.streams: Counter[str] = Counter()
        """Event streams: `opened`, `refused` (503), `broken` before their time."""
        self.slow: Counter[str] = Counter()
        """Slow clients: `held` to their end, `cut` by the server."""

    async def speaker(self, number: int) -> None:
        """Send recordings, every other one broken; only broken ones to an appliance that does not hear."""
        user, whole = User(*self._address), recording()
        while not self._over():
            number += 1
            broken = number % 2 == 1 or not self._hears
            data = malformed(number // 2) if broken else whole
            path = "/v1/turns" if data else "/v1/turns?language=zh"
            _, answer = await self._timed(user, user.request("POST", path, data, "audio/wav"), PATIENCE_S)
            if answer is not None:
                count(self.refused if broken else self.spoken, answer)
            await self._pause(random.uniform(1.0, 4.0))
        user.close()

    async def typist(self, number: int) -> None:
        """Type at the page: suggestions are asked for after every key."""
        user = User(*self._address)
        while not self._over():
            number += 1
            words = TYPED[number % len(TYPED)]
            for length in range(1, len(words) + 1):
                body = json.dumps({"text": words[:length], "language": "zh", "limit": 8}).encode()
                _, answer = await self._timed(user, user.request("POST", "/v1/suggestions", body), PATIENCE_S)
                if answer is not None:
                    count(self.typed, answer)
                await self._pause(random.uniform(0.15, 0.4))
            await self._pause(random.uniform(1.0, 4.0))
        user.close()

    async def watcher(self, number: int) -> None:
        """Open the event stream, stay a while, leave without a word."""
        while not self._over():
            try:
                reader, writer = await asyncio.wait_for(asyncio.open_connection(*self._at), PATIENCE_S)
                writer.write(b"GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n")
                first = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
                if b" 200 " in first.split(b"\r\n")[0]:
                    self.streams["opened"] += 1
                    await self._stay(reader, random.uniform(1.0, 15.0))
                else:
                    self.streams["refused"] += 1
                writer.close()
            except (OSError, EOFError, asyncio.TimeoutError):
                self.streams["broken"] += 1
            await self._pause(random.uniform(0.5, 3.0))

    async def _stay(self, reader: asyncio.StreamReader, seconds: float) -> None:
        """Read what comes for a while; an end before its time raises EOFError."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while (left := until - loop.time()) > 0 and not self._over():
            try:
                if not await asyncio.wait_for(reader.read(4096), left):
                    raise EOFError("the stream ended")
            except asyncio.TimeoutError:
                return

    async def dawdler(self, number: int) -> None:
        """Send a head or a body a byte at a time, or never fetch the answer."""
        openings = (
            b"GET /healthz HTTP/1.1\r\nX: ",
            b"POST /v1/ocr HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\nContent-Length: 500000\r\n\r\n",
            b"GET /docs/assets/swagger-ui-bundle.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 8,
        )
        while not self._over():
            number += 1
            outcome = "held"
            try:
                _, writer = await asyncio.wait_for(asyncio.open_connection(*self._at, limit=1), PATIENCE_S)
                writer.write(openings[number % len(openings)])
                for _ in range(random.randint(3, 25)):
                    await self._pause(1.0)
                    if number % len(openings) != 2:
                        writer.write(b"a")
                        await asyncio.wait_for(writer.drain(), PATIENCE_S)
                writer.close()
            except (OSError, asyncio.TimeoutError):
                outcome = "cut"
            self.slow[outcome] += 1
            await self._pause(random.uniform(0.1, 2.0))


async def come(url: str, seconds: float, talkers: int, mixed: bool, hears: bool) -> Visitors:
    """Let everybody come at once, for `seconds`."""
    visitors = Visitors(url, seconds, hears)
    pictures = case_pictures()
    living: list[Callable[[], Awaitable[None]]] = [visitors.watch]
    living += [lambda n=n: visitors.customer(n) for n in range(talkers)]
    if mixed:
        living += [lambda n=n: visitors.photographer(n, pictures) for n in range(PHOTOGRAPHERS)]
        living += [lambda n=n: visitors.shower(n, pictures) for n in range(SHOWERS)]
        for act, count in (
            (visitors.speaker, SPEAKERS),
            (visitors.typist, TYPISTS),
            (visitors.watcher, WATCHERS),
            (visitors.dawdler, DAWDLERS),
        ):
            living += [lambda n=n, act=act: act(n) for n in range(count)]
    await asyncio.gather(*(life() for life in living))
    return visitors


def main() -> None:
    """Let them come and print what they saw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("seconds", type=float)
    parser.add_argument("talkers", type=int)
    parser.add_argument("--mixed", action="store_true")
    parser.add_argument("--hears", action="store_true", help="the appliance has a recogniser")
    asked = parser.parse_args()
    allow_files(asked.talkers + SPARE_FILES)
    seen = asyncio.run(come(asked.url, asked.seconds, asked.talkers, asked.mixed, asked.hears))
    more = {name: dict(getattr(seen, name)) for name in ("spoken", "refused", "typed", "streams", "slow")}
    json.dump(asdict(seen.tally) | more, sys.stdout)


if __name__ == "__main__":
    main()
