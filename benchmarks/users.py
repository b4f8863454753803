"""Users over raw sockets: each asks, waits for the whole answer, pauses as its habit says, and asks again.

Run in a process of its own (`python -m benchmarks.users URL USERS SECONDS`, see --help for habits and photos),
so that the load does not share the interpreter of whoever measures; prints one JSON object. Without a habit the users
are closed-loop ones: they ask again as soon as they have an answer, whatever it is.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.tally import LATE_KEPT, LATE_S, Tally, count
from benchmarks.wire import LEFT, Answered, User

SENTENCES = (
    "你好",
    "厕所在哪里",
    "洗衣液在哪个货架",
    "帮我查一下快递到哪了",
    "我要退货",
    "几点关门",
    "转人工",
    "取消",
    "你会做什么",
    "查一下单号SF1392847561002",
    "牛奶多少钱",
    "我的手机号是13812345678",
    "寄两公斤到北京市海淀区要多少钱",
    "有没有打折",
    "ＷＣ在哪儿？？？",
    "where is the shampoo",
    "谢谢",
    "发票怎么开",
    "我要投诉",
    "今天天气怎么样",
)
"""What the users say: tasks, questions, numbers, small talk, and things the appliance does not know."""
TURNS = 6
"""Turns of one customer; then the session is forgotten, as the page does it, and the next customer comes."""
PATIENCE_S = 10.0
"""Seconds after which a request counts as unanswered."""
PHOTO_PATIENCE_S = 45.0
"""The same for a photo, which the appliance itself may read for 30 s."""
LOOK_S = 0.05
"""How often the generator looks at its own clock: a generator that stood still saw late answers that were not."""
RESETS = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError, asyncio.IncompleteReadError)
"""What a connection that the server cut off looks like from here."""
SPARE_FILES = 128


@dataclass(frozen=True)
class Habit:
    """How long users pause."""

    think_s: tuple[float, float] = (0.0, 0.0)
    """Shortest and longest pause after an answer; each is drawn anew."""
    retry_s: float | None = None
    """Pause after a refusal (503), before the same is asked again; None: a refused user thinks like an answered one."""


class Crowd:
    """Users that live at once until a moment, and their tally."""

    def __init__(self, url: str, token: str, habit: Habit, seconds: float) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "127.0.0.1", parts.port or 80, token)
        self._habit = habit
        self._began = time.perf_counter()
        self._until = self._began + seconds
        self.tally = Tally()

    def _over(self) -> bool:
        return time.perf_counter() >= self._until

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, min(seconds, self._until - time.perf_counter())))

    async def _timed(self, user: User, asking: Awaitable[Answered], patience_s: float) -> tuple[float, Answered | None]:
        """Seconds taken, and the answer or None; what became of it is tallied."""
        began = time.perf_counter()
        answer, outcome = None, ""
        try:
            answer = await asyncio.wait_for(asking, patience_s)
            outcome = answer.outcome
        except (OSError, EOFError, asyncio.TimeoutError) as error:
            outcome = type(error).__name__
            self.tally.unanswered.append(outcome)
            self.tally.resets += isinstance(error, RESETS)
            user.close()
        took = time.perf_counter() - began
        if patience_s == PATIENCE_S:
            self.tally.oldest_s = max(self.tally.oldest_s, took)
            if took > LATE_S:
                self.tally.late_count += 1
                if len(self.tally.late) < LATE_KEPT:
                    at = round(began - self._began, 2)
                    self.tally.late.append({"asked_s": at, "took_s": round(took, 2), "outcome": outcome})
        return took, answer

    async def customer(self, number: int) -> None:
        """Be one customer after the other, with words."""
        user, session, asked = User(*self._address), "", 0
        await self._pause(random.uniform(0.0, self._habit.think_s[1]))
        while not self._over():
            text = SENTENCES[(number * 7 + asked) % len(SENTENCES)]
            body = json.dumps({"text": text} | ({"session": session} if session else {})).encode()
            took, answer = await self._timed(user, user.request("POST", "/v1/turns", body), PATIENCE_S)
            if answer is None:
                continue
            count(self.tally.statuses, answer)
            if answer.status == 503:
                if answer.outcome == "503":
                    self.tally.refusals_ms.append(took * 1000)
                if self._habit.retry_s is not None:
                    await self._pause(self._habit.retry_s)
                    continue
            elif answer.status == 200:
                self.tally.latencies_ms.append(took * 1000)
                session, asked = json.loads(answer.body)["session"], asked + 1
                if asked % TURNS == 0:
                    await self._go(user, session)
                    session = ""
            await self._pause(random.uniform(*self._habit.think_s))
        user.close()

    async def _go(self, user: User, session: str) -> None:
        """End a session, as the page does it when its customer goes."""
        _, answer = await self._timed(user, user.request("DELETE", f"/v1/sessions/{session}"), PATIENCE_S)
        if answer is not None:
            count(self.tally.ended, answer)

    async def photographer(self, number: int, pictures: list[tuple[bytes, str]]) -> None:
        """Be one customer after the other, with photos."""
        user = User(*self._address)
        await self._pause(random.uniform(0.0, 2.0))
        while not self._over():
            data, kind = pictures[number % len(pictures)]
            number += 1
            took, answer = await self._timed(user, user.request("POST", "/v1/ocr", data, kind), PHOTO_PATIENCE_S)
            if answer is not None:
                count(self.tally.photo_statuses, answer)
                if answer.status == 200:
                    self.tally.photos_ms.append(took * 1000)
            await self._pause(random.uniform(1.0, 3.0))
        user.close()

    async def shower(self, number: int, pictures: list[tuple[bytes, str]]) -> None:
        """Show photos as the page does it, read line by line; every third one leaves amid the lines."""
        user = User(*self._address)
        await self._pause(random.uniform(0.0, 2.0))
        while not self._over():
            data, kind = pictures[number % len(pictures)]
            number += 1
            leave = random.randint(1, 4) if number % 3 == 0 else None
            asking = user.stream("/v1/turns?language=zh", data, kind, leave)
            took, answer = await self._timed(user, asking, PHOTO_PATIENCE_S)
            if answer is not None and answer.status == LEFT:
                self.tally.left += 1
            elif answer is not None:
                count(self.tally.stream_statuses, answer)
                if answer.status == 200:
                    self.tally.streams_ms.append(took * 1000)
                    await self._go(user, json.loads(answer.body)["session"])
            await self._pause(random.uniform(1.0, 3.0))
        user.close()

    async def watch(self) -> None:
        """Look at the clock all the time."""
        last = time.perf_counter()
        while not self._over():
            await asyncio.sleep(LOOK_S)
            now = time.perf_counter()
            self.tally.generator_gap_s = max(self.tally.generator_gap_s, round(now - last - LOOK_S, 3))
            last = now


async def drive(
    url: str,
    users: int,
    seconds: float,
    token: str = "",
    habit: Habit | None = None,
    pictures: list[tuple[bytes, str]] | None = None,
    photographers: int = 0,
    showers: int = 0,
) -> Tally:
    """Let `users` (and those who send `pictures`, whole or line by line) live at once for `seconds`."""
    crowd = Crowd(url, token, habit or Habit(), seconds)
    living: list[Callable[[], Awaitable[None]]] = [crowd.watch]
    living += [lambda number=number: crowd.customer(number) for number in range(users)]
    if pictures:
        living += [lambda number=number: crowd.photographer(number, pictures) for number in range(photographers)]
        living += [lambda number=number: crowd.shower(number, pictures) for number in range(showers)]
    await asyncio.gather(*(life() for life in living))
    return crowd.tally


def allow_files(wanted: int) -> None:
    """Raise this process's limit of open files, one for each user; exits with a sentence where it cannot be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        if hard != resource.RLIM_INFINITY and hard < wanted:
            raise SystemExit(f"open files: expected a hard limit of at least {wanted}, got {hard}; see ulimit -Hn")
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def case_pictures() -> list[tuple[bytes, str]]:
    """The OCR model's own case pages, with their types."""
    from appliance.artifacts.manifest import shipped_root

    kinds = {".png": "image/png", ".jpg": "image/jpeg"}
    cases: Path = shipped_root() / "pp-ocrv6-small" / "cases"
    pages = sorted(p for p in cases.iterdir() if p.suffix in kinds and not p.name.startswith("line-"))
    return [(page.read_bytes(), kinds[page.suffix]) for page in pages]


def main() -> None:
    """Drive and print the tally."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("users", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--think", type=float, nargs=2, default=(0.0, 0.0), metavar=("LOW", "HIGH"))
    parser.add_argument("--retry", type=float, help="seconds before a refused user asks the same again")
    parser.add_argument("--photos", type=int, default=0, help="further users who send photos")
    parser.add_argument("--showers", type=int, default=0, help="further users who have photos read line by line")
    asked = parser.parse_args()
    allow_files(asked.users + asked.photos + asked.showers + SPARE_FILES)
    habit = Habit((asked.think[0], asked.think[1]), asked.retry)
    pictures = case_pictures() if asked.photos + asked.showers else None
    token = os.environ.get("BENCHMARK_TOKEN", "")
    tally = asyncio.run(
        drive(asked.url, asked.users, asked.seconds, token, habit, pictures, asked.photos, asked.showers)
    )
    json.dump(asdict(tally), sys.stdout)


if __name__ == "__main__":
    main()
