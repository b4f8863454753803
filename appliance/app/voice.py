"""Builds what listens and speaks at the kiosk: microphone, utterances, voices, loudspeaker, and the conversation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from appliance.app.metered import MeteredUtterances
from appliance.app.mouth import STARTING, build_mouth
from appliance.app.senses import Hears
from appliance.app.spoken import Voice
from appliance.app.wording import fixed, likely
from appliance.channels.voice.conversation import Conversation
from appliance.channels.voice.live import Live
from appliance.channels.voice.manners import Manners, breaks_in
from appliance.channels.voice.parts import Answers, Wakes
from appliance.device.bill import Bills
from appliance.errors import Unavailable
from appliance.listener import Listener
from appliance.packs.schema import Pack
from appliance.settings import Settings
from appliance.speech.listen import Utterances
from appliance.speech.microphone import UNWELL, Microphone
from appliance.speech.segment import Endpointer
from appliance.speech.vad import Rules
from appliance.speech.vosk import VoskRecogniser
from appliance.values import Feature, Reply, statements

OFF = "未启用，设置 APPLIANCE_VOICE=push 或 wake 可启用 / not in use; APPLIANCE_VOICE=push or wake turns it on"

OPENING = "microphone: 正在打开 / opening"
SETTLING = (STARTING, OPENING)
"""Reasons of features that have not been tried to their end yet."""


def hearer(
    hears: Hears, settings: Settings, said: Sequence[str] = (), bills: Bills | None = None
) -> Callable[[str], Utterances]:
    """Makes what recognises a stream of sound in a language, or raises Unavailable naming what is missing.

    A Vosk recogniser of Chinese hears nothing but `said` where the settings ask for a grammar.
    """
    rules = Rules(minimum_silence=settings.speech_silence_s, maximum=settings.speech_longest_s)

    def make(language: str) -> Utterances:
        recogniser = hears.streaming.get(language)
        if recogniser is None:
            hears.hearing.recogniser(language)  # says which command installs one
        if recogniser is None or hears.vad is None:
            raise Unavailable(
                "voice: expected voice activity detection, got none: without it nobody knows when a sentence is over",
                remedy=("请运行 `appliance models pull silero-vad`", "Run `appliance models pull silero-vad`"),
                retry_after=60,
            )
        bound = settings.speech_grammar and language == "zh" and isinstance(recogniser, VoskRecogniser)
        endpointer, phrases = Endpointer(hears.vad, rules), said if bound else ()
        if bills is None:
            return Utterances(endpointer, recogniser, phrases=phrases)
        return MeteredUtterances(endpointer, recogniser, phrases=phrases, bills=bills)

    return make


def build_voice(
    hears: Hears,
    answer: Answers,
    end: Callable[[str], object],
    show: Callable[[Reply], Mapping[str, Any]],
    settings: Settings,
    pack: Pack,
    wakes: Wakes | None,
    listener: Listener,
    bills: Bills,
    allowed: Callable[[], object] = lambda: None,
) -> Voice:
    """What the settings ask for; what is missing is said by its feature, and nothing raises.

    `allowed` raises ApplianceError while no sound is to be taken.
    """
    hear = hearer(hears, settings, likely(pack), bills)
    live = Live(hear, settings.audio_streams, longest_s=settings.max_audio_seconds, allowed=allowed, listener=listener)
    words = build_mouth(settings, fixed(pack), listener, bills)
    microphone = Microphone(settings.microphone, listener=listener) if settings.voice != "off" else None
    conversation = None
    if microphone is not None:
        conversation = Conversation(
            microphone,
            hear,
            answer,
            show,
            mouth=words if words.audible else None,
            wakes=wakes if settings.voice == "wake" else None,
            end=end,
            allowed=allowed,
            manners=lambda: Manners(barge_in=breaks_in(settings.barge_in, microphone.state.device)),
            listener=listener,
        )
        microphone.start()
        conversation.start()

    def features() -> tuple[Feature, ...]:
        return (_listening(microphone), words.feature())

    def state() -> dict[str, object]:
        found: dict[str, object] = {"mode": settings.voice, "speech": words.feature().backend}
        if conversation is not None and microphone is not None:
            found |= conversation.state()
            found["microphone"] = asdict(microphone.state)
            found["speaker"] = words.loudspeaker()
        return found

    def close() -> None:
        if conversation is not None:
            conversation.close()
        if microphone is not None:
            microphone.close()
        live.close_all()
        words.close()

    return Voice(live, words, conversation, microphone, features, state, close)


def _listening(microphone: Microphone | None) -> Feature:
    if microphone is None:
        return Feature("microphone", "off", "none", statements((OFF,)))
    now = microphone.state
    if now.state in UNWELL:
        return Feature("microphone", "failed", "none", statements((f"{now.state}: {now.reason}",)))
    if now.state == "muted":
        return Feature("microphone", "fallback", "portaudio", statements((now.reason,)))
    if now.state == "opening":
        return Feature("microphone", "off", "none", statements((OPENING,)))
    device = f"{now.device}: {now.rate} Hz × {now.channels} / {now.rate} Hz × {now.channels}"
    return Feature("microphone", "ready" if now.state == "listening" else "off", "portaudio", statements((device,)))
