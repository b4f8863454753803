"""The Wyoming listener, asked by the protocol's own client and by clients that mean harm."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pytest
from speaking_door import HEARD, RATE, SpeakingFakeDoor
from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import Event, Eventable
from wyoming.handle import Handled, NotHandled
from wyoming.info import Describe, Info
from wyoming.intent import Intent, NotRecognized, Recognize
from wyoming.ping import Ping, Pong
from wyoming.tts import Synthesize, SynthesizeTextFormat, SynthesizeVoice

from appliance.channels.wyoming.listener import WyomingListener
from appliance.errors import Overloaded, SettingInvalid
from appliance.settings import Settings

T = TypeVar("T")
SOUND = (0.5 * np.sin(np.arange(16_000) / 10) * 32767).astype("<i2").tobytes()


@contextmanager
def listening(door: SpeakingFakeDoor, clients: int = 4, idle_s: float = 20.0, **over: Any) -> Iterator[int]:
    listener = WyomingListener(
        door, replace(Settings(), **{"http_timeout_s": 5.0, **over}), port=0, clients=clients, idle_s=idle_s
    )
    port = listener.start()
    try:
        yield port
    finally:
        if door.hold is not None:
            door.hold.set()
        listener.stop()
    assert not listener._thread.is_alive()


Listen = Callable[..., int]


@pytest.fixture
def listen() -> Iterator[Listen]:
    with ExitStack() as stack:
        yield lambda door=None, **over: stack.enter_context(listening(door or SpeakingFakeDoor(), **over))


def alone(visit: Coroutine[Any, Any, T]) -> T:
    """What `visit` gives, in a thread of its own: Playwright, where a test before used it, keeps a loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(visit)).result()


def talk(port: int, *said: Eventable | Event, until: tuple[str, ...] = ()) -> list[Event]:
    """What one client hears: the answers up to one of the types `until`, or to the end of the connection."""

    async def visit() -> list[Event]:
        heard: list[Event] = []
        async with AsyncTcpClient("127.0.0.1", port, read_timeout=15) as client:
            for one in said:
                await client.write_event(one if isinstance(one, Event) else one.event())
            while (event := await client.read_event()) is not None:
                heard.append(event)
                if event.type in until:
                    break
        return heard

    return alone(visit())


def recording(pcm: bytes = SOUND, rate: int = 16_000, width: int = 2, channels: int = 1) -> list[Eventable]:
    chunks = [AudioChunk(rate, width, channels, pcm[at : at + 2048]) for at in range(0, len(pcm), 2048)]
    return [AudioStart(rate, width, channels), *chunks, AudioStop()]


def failed(events: list[Event], code: str, said: str) -> None:
    """One error, and the connection at its end: clients wait for an answer for ever otherwise."""
    (event,) = events
    error = Error.from_event(event)
    assert (event.type, error.code) == ("error", code)
    assert said in error.text


def test_it_says_what_it_can(listen):
    (event,) = talk(listen(), Describe(), until=("info",))
    info = Info.from_event(event)
    (asr,), (tts,), (intent,), (handle,) = info.asr, info.tts, info.intent, info.handle
    assert [model.languages for model in asr.models] == [["zh", "en"]]
    assert [(voice.name, voice.languages) for voice in tts.voices] == [
        ("appliance-zh", ["zh"]),
        ("appliance-en", ["en"]),
    ]
    assert all(program.installed for program in (asr, tts, intent, handle))
    assert not asr.supports_transcript_streaming
    (event,) = talk(listen(SpeakingFakeDoor(asr="off", speech="off")), Describe(), until=("info",))
    assert (Info.from_event(event).asr, Info.from_event(event).tts) == ([], [])


def test_a_recording_becomes_a_transcript(listen):
    door = SpeakingFakeDoor()
    port = listen(door)
    heard = talk(port, Transcribe(language="zh-CN"), *recording(), until=("transcript",))
    transcript = Transcript.from_event(heard[-1])
    assert (transcript.text, transcript.language) == (HEARD.text, "zh")
    np.testing.assert_allclose(door.heard_audio[0].samples, np.frombuffer(SOUND, "<i2") / 32768, atol=1e-6)
    stereo = np.repeat(np.frombuffer(SOUND, "<i2").astype("<i4") << 16, 2).tobytes()
    talk(port, *recording(stereo, 48_000, 4, 2), until=("transcript",))
    assert (door.heard_audio[1].rate, len(door.heard_audio[1].samples)) == (48_000, 16_000)
    assert door.heard_in == ["zh", "zh"]


def test_several_recordings_on_one_connection_and_one_without_sound(listen):
    door = SpeakingFakeDoor()
    chunk = AudioChunk(16_000, 2, 1, SOUND[:2048])  # some clients send no start
    said = [*recording(), chunk, AudioStop(), AudioStart(16_000, 2, 1), AudioStop()]
    port = listen(door)

    async def visit() -> list[str]:
        async with AsyncTcpClient("127.0.0.1", port, read_timeout=15) as client:
            for one in said:
                await client.write_event(one.event())
            return [(await client.read_event()).data["text"] for _ in range(3)]

    assert alone(visit()) == [HEARD.text, HEARD.text, ""]
    assert len(door.heard_audio) == 2


def test_a_text_becomes_sound(listen):
    door = SpeakingFakeDoor()
    events = talk(listen(door), Synthesize("你好世界"), until=("audio-stop",))
    start = AudioStart.from_event(events[0])
    assert (start.rate, start.width, start.channels) == (RATE, 2, 1)
    chunks = [AudioChunk.from_event(event) for event in events[1:-1]]
    samples = np.frombuffer(b"".join(chunk.audio for chunk in chunks), "<i2")
    assert len(samples) == round(0.4 * RATE)
    assert np.abs(samples).max() == pytest.approx(0.5 * 32767, rel=0.01)
    assert [chunk.timestamp for chunk in chunks] == sorted(chunk.timestamp for chunk in chunks)
    assert AudioStop.from_event(events[-1]).timestamp == 400
    port = listen(door)
    for voice in (SynthesizeVoice(name="appliance-en"), SynthesizeVoice(language="en_GB"), None):
        talk(port, Synthesize("one two" if voice is None else "一二", voice), until=("audio-stop",))
    assert [language for _, language, _ in door.said] == ["zh", "en", "en", "en"]


def test_a_text_becomes_an_intent(listen):
    door = SpeakingFakeDoor()
    context = {"satellite": "till"}
    (event,) = talk(listen(door), Recognize("查一下单号SF1392847561002", context), until=("intent",))
    intent = Intent.from_event(event)
    assert intent.name == "find_product"
    assert [(entity.name, entity.value) for entity in intent.entities] == [("tracking_no", "SF1392847561002")]
    assert intent.text == "洗衣液在 B3 货架,靠近收银台。"
    assert intent.context == context
    (event,) = talk(listen(SpeakingFakeDoor(outcome="not_understood")), Recognize("呃"), until=("not-recognized",))
    assert NotRecognized.from_event(event).text == "没听懂,请再说一遍。"


def test_a_transcript_becomes_an_answer_as_home_assistant_asks_for_one(listen):
    door = SpeakingFakeDoor()
    asked = Transcript("where is the laundry liquid", {"conversation_id": "01HS"}, "en")
    port = listen(door)
    for _ in range(2):
        (event,) = talk(port, asked, until=("handled",))
    handled = Handled.from_event(event)
    assert (handled.text, handled.context) == ("Laundry liquid is on shelf B3.", {"conversation_id": "01HS"})
    assert len(door.sessions) == 1, "a conversation keeps its session from connection to connection"
    (event,) = talk(listen(SpeakingFakeDoor(outcome="not_understood")), asked, until=("not-handled",))
    assert NotHandled.from_event(event).text


def test_a_session_without_a_conversation_ends_with_its_connection(listen):
    door = SpeakingFakeDoor()
    port = listen(door)
    talk(port, Recognize("洗衣液"), Recognize("洗衣粉"), until=("intent",))
    for _ in range(100):
        if door.opened and not door.sessions:
            break
        time.sleep(0.05)
    assert (door.opened, door.sessions) == (1, set())


def test_what_it_does_not_know_is_dropped(listen):
    events = talk(listen(), Event("select-program", {"name": "x"}), Event("played"), Ping("a"), until=("pong",))
    assert Pong.from_event(events[0]).text == "a"


@pytest.mark.parametrize(
    "said, code, words",
    [
        ([AudioStop()], "bad_request", "audio-stop: expected audio-start"),
        ([AudioStart(1, 2, 1)], "invalid_input", "rate: expected"),
        ([AudioStart(16_000, 1, 1)], "invalid_input", "width: expected"),
        ([AudioStart(16_000, 2, 99)], "invalid_input", "channels: expected"),
        ([Event("audio-start", {"rate": "fast"})], "invalid_input", "rate: expected"),
        ([Event("audio-start", {"rate": True, "width": 2, "channels": 1})], "invalid_input", "rate: expected"),
        ([AudioStart(16_000, 2, 1), AudioChunk(8_000, 2, 1, b"ab")], "bad_request", "rate: expected 16000"),
        ([Transcribe(language="fr")], "invalid_input", "language: expected zh or en"),
        ([Event("transcribe", {"language": 5})], "invalid_input", "language: expected zh or en"),
        ([Synthesize("")], "invalid_input", "text: expected some words"),
        ([Event("synthesize", {"text": 5})], "invalid_input", "text: expected some words"),
        ([Synthesize("好" * 513)], "invalid_input", "at most 512 characters"),
        ([Event("synthesize", {"text": "a", "voice": "b"})], "invalid_input", "voice: expected an object"),
        ([Synthesize("a", SynthesizeVoice(name="nova"))], "invalid_input", "appliance-zh or appliance-en"),
        ([Synthesize("<p>", None, SynthesizeTextFormat.SSML)], "invalid_input", "text_format"),
        ([Event("recognize")], "invalid_input", "text: expected some words"),
    ],
)
def test_requests_that_are_refused(listen, said, code, words):
    failed(talk(listen(), *said), code, words)


def test_what_the_door_refuses_is_said(listen):
    port = listen(SpeakingFakeDoor(error=Overloaded("full", retry_after=2)))
    for said in ([Synthesize("好")], [Recognize("好")], recording()):
        failed(talk(port, *said), "overloaded", "full")


def test_a_defect_says_nothing_of_what_was_said(listen, caplog):
    with caplog.at_level(logging.ERROR):
        failed(talk(listen(SpeakingFakeDoor(error=ValueError("13812345678"))), Recognize("好")), "internal", "error ")
    assert "13812345678" not in caplog.text
    assert "speaking_door.py" in caplog.text


def test_a_recording_that_is_too_long_is_refused_while_the_client_still_sends(listen):
    failed(talk(listen(max_audio_seconds=1.0), *recording(SOUND * 20)), "too_large", "at most 1 seconds")


def raw(port: int, sent: bytes) -> bytes:
    """What comes back to bare bytes, to the end of the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=15) as sock:
        sock.sendall(sent)
        sock.shutdown(socket.SHUT_WR)
        back = b""
        while piece := sock.recv(65536):
            back += piece
        return back


@pytest.mark.parametrize(
    "sent, code",
    [
        (b"GET / HTTP/1.1\r\nHost: kiosk\r\n\r\n", b"bad_request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\n", b"bad_request"),
        (b"[1]\n", b"bad_request"),
        (b'{"type": 5}\n', b"bad_request"),
        (b'{"type": "describe"', b"bad_request"),
        (b"[" * 60_000 + b"\n", b"bad_request"),
        (b'{"type":"a","data":' + b'{"a":' * 9_000 + b"\n", b"bad_request"),
        (b"a" * 200_000, b"too_large"),
        (b'{"type": "ping", "data_length": -1}\n', b"bad_request"),
        (b'{"type": "ping", "data_length": true}\n', b"bad_request"),
        (b'{"type": "ping", "data_length": 1e3}\n', b"bad_request"),
        (b'{"type": "ping", "data_length": 70000}\n', b"too_large"),
        (b'{"type": "audio-chunk", "payload_length": 99999999999}\n', b"too_large"),
        (b'{"type": "ping", "data_length": 5}\nab', b"bad_request"),
        (b'{"type": "ping", "data_length": 3}\n[1]', b"bad_request"),
        (b'{"type": "ping", "data": [1]}\n', b"bad_request"),
        (b'{"type": "recognize", "data": {"text": "\\ud800"}}\n', b"invalid_input"),
        (b'{"type": "recognize", "data": {"text": "a\\u0000"}}\n', b"invalid_input"),
    ],
)
def test_bytes_that_are_no_events_end_their_connection_and_nothing_else(listen, sent, code):
    port = listen()
    back = raw(port, sent)
    assert json.loads(back.partition(b"\n")[0])["type"] == "error"
    assert b'"code": "' + code + b'"' in back
    assert talk(port, Ping("a"), until=("pong",))


def test_noise_never_ends_it(listen):
    port = listen()
    random = np.random.default_rng(7)
    for size in (1, 10, 1000, 50_000):
        for _ in range(5):
            raw(port, random.bytes(size))
            raw(port, b'{"type": "audio-start", "data": ' + random.bytes(size) + b"}\n")
    assert talk(port, Ping("a"), until=("pong",))


def test_a_client_too_many_is_told_so(listen):
    port = listen(clients=2)
    with ExitStack() as stack:
        for _ in range(2):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            sock.sendall(b'{"type": "ping"}\n')
            assert sock.recv(100)
        failed(talk(port), "overloaded", "clients: expected fewer than 2")
    for _ in range(100):  # the two have gone; their places are free a moment later
        events = talk(port, Ping("a"), until=("pong", "error"))
        if events[0].type == "pong":
            return
        time.sleep(0.05)
    raise AssertionError("no place became free")


def test_recordings_at_once_are_few(listen):
    port = listen(audio_jobs=1, clients=4)  # one more may be on its way
    with ExitStack() as stack:
        for _ in range(2):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            sock.sendall(
                b'{"type": "audio-start", "data": {"rate": 16000, "width": 2, "channels": 1}}\n{"type": "ping"}\n'
            )
            assert sock.recv(100)
        failed(talk(port, AudioStart(16_000, 2, 1)), "overloaded", "recordings")
    for _ in range(100):
        if talk(port, *recording(), until=("transcript", "error"))[0].type == "transcript":
            return
        time.sleep(0.05)
    raise AssertionError("no place became free")


def test_silent_clients_are_sent_away(listen):
    port = listen(idle_s=0.3, http_timeout_s=1.0)
    assert talk(port) == [], "nothing was asked for: there is nothing to say"
    failed(talk(port, AudioStart(16_000, 2, 1)), "request_timeout", "recording: expected sound")
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall(b'{"type": "ping", "data_length": 5}\nab')
        assert b"request_timeout" in sock.recv(4096) + sock.recv(4096)


def test_stopping_ends_idle_clients_and_lets_busy_ones_finish():
    door = SpeakingFakeDoor(hold=threading.Event())
    listener = WyomingListener(door, Settings(), port=0)
    port = listener.start()
    idle = socket.create_connection(("127.0.0.1", port), timeout=10)
    heard: list[Event] = []
    busy = threading.Thread(target=lambda: heard.extend(talk(port, Recognize("洗衣液"), until=("intent",))))
    busy.start()
    while not door.acts:
        time.sleep(0.01)
    stopping = threading.Thread(target=listener.stop)
    stopping.start()
    assert idle.recv(10) == b"", "it was idle: its connection ends at once"
    idle.close()
    door.hold.set()
    for thread in (busy, stopping):
        thread.join(20)
        assert not thread.is_alive()
    assert [event.type for event in heard] == ["intent"]
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=2)
    listener.stop()


def test_a_port_that_is_taken_names_the_setting(listen):
    port = listen()
    with pytest.raises(SettingInvalid, match="wyoming_port") as refused:
        WyomingListener(SpeakingFakeDoor(), Settings(), port=port).start()
    assert "APPLIANCE_WYOMING_PORT" in refused.value.remedy
    with pytest.raises(SettingInvalid):
        WyomingListener(SpeakingFakeDoor(), Settings(wyoming_host="192.0.2.1"), port=0).start()


def test_it_listens_to_this_machine_alone_and_says_when_it_does_not(caplog):
    for host, warned in (("127.0.0.1", False), ("0.0.0.0", True)):
        caplog.clear()
        listener = WyomingListener(SpeakingFakeDoor(), Settings(wyoming_host=host), port=0)
        try:
            assert talk(listener.start(), Ping("a"), until=("pong",))
        finally:
            listener.stop()
        assert ("reachable by strangers" in caplog.text) is warned
    assert Settings().wyoming_port == 0, "off unless asked for"
    assert Settings().wyoming_host == "127.0.0.1"
