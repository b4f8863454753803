"""What others ask of a conversation: to answer what is shown, and to wait for it no longer than it lives."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from scripted_talk import END, SPEECH, ScriptedMouth, Talk, phases, talking

from appliance.channels.voice.turns import IDLE, LISTENING
from appliance.errors import BackendFailed
from appliance.values import Reply, Turn


def shown(scene: Talk, text: str = "SF1392847561002") -> Callable[[str | None, str], Reply]:
    """What reads something that is shown, and answers it."""

    def answer(session: str | None, language: str) -> Reply:
        return scene.door.turn(Turn(text, "image", language=language), session)

    return answer


def test_what_is_shown_is_answered_in_the_same_conversation_and_said() -> None:
    mouth = ScriptedMouth()
    with talking(mouth=mouth) as scene:
        scene.door.sessions.add("typed")
        scene.talk.attend("typed", "en")
        reply = scene.talk.show(shown(scene))
        assert reply is not None
        assert reply.session == "typed"
        assert mouth.said == ["Laundry liquid is on shelf B3."]
        assert scene.told("reply") == [{"text": "SF1392847561002", "session": "typed"}]
        scene.until(lambda: scene.talk.phase == IDLE)
        assert phases(scene) == ["idle", "thinking", "speaking", "idle"]


def test_what_is_shown_waits_for_a_sentence_to_be_over() -> None:
    with talking() as scene:
        scene.sentences.append("帮我查一下这个")
        scene.talk.listen(None, "zh")
        scene.until(lambda: scene.talk.phase == LISTENING)
        scene.ears.hear(SPEECH, SPEECH)
        scene.until(lambda: scene.told("partial"))
        beside = threading.Thread(target=lambda: scene.talk.show(shown(scene)))
        beside.start()
        time.sleep(0.1)
        assert scene.told("reply") == []
        scene.ears.hear(END)
        beside.join(10)
        scene.until(lambda: len(scene.told("reply")) == 2)
        assert [told["text"] for told in scene.told("reply")] == ["帮我查一下这个", "SF1392847561002"]


def test_showing_something_breaks_off_the_kiosks_words() -> None:
    mouth = ScriptedMouth(at_once=False)
    with talking(mouth=mouth) as scene:
        scene.sentences.append("查快递")
        scene.talk.listen(None, "zh")
        scene.until(lambda: scene.talk.phase == LISTENING)
        scene.ears.hear(SPEECH, END)
        scene.until(lambda: mouth.words)
        mouth.at_once = True
        assert scene.talk.show(shown(scene)) is not None
        assert mouth.words[0].stopped


def test_what_comes_to_nothing_leaves_the_conversation_as_it_was() -> None:
    with talking() as scene:
        assert scene.talk.show(lambda _session, _language: None) is None
        scene.until(lambda: scene.talk.phase == IDLE)
        scene.talk.listen(None, "zh")
        scene.until(lambda: scene.talk.phase == LISTENING)
        assert scene.talk.show(lambda _session, _language: None) is None
        scene.until(lambda: scene.talk.phase == LISTENING)
        assert scene.told("reply") == scene.told("error") == []


def test_what_fails_is_told_and_who_shows_it_does_not_wait_for_ever() -> None:
    with talking() as scene:
        scene.door.error = BackendFailed("detector: expected to run, got a broken one")
        assert scene.talk.show(shown(scene)) is None
        scene.until(lambda: scene.told("error"))
        scene.door.error = None
        assert scene.talk.show(shown(scene)) is not None


def test_whoever_leaves_while_it_is_read_leaves_nothing_behind() -> None:
    ended: list[str] = []
    with talking(end=ended.append) as scene:

        def answer(session: str | None, language: str) -> Reply:
            scene.talk.cancel()
            return shown(scene)(session, language)

        assert scene.talk.show(answer) is None
        assert ended == ["session-0001"]
        assert scene.told("reply") == []


def test_nobody_waits_for_a_conversation_that_has_ended() -> None:
    with talking() as scene:
        scene.sentences.append("一")
        scene.talk.listen(None, "zh")
        scene.until(lambda: scene.talk.phase == LISTENING)
        scene.ears.hear(SPEECH)
        scene.until(lambda: scene.told("partial"))
        found: list[object] = []
        beside = threading.Thread(target=lambda: found.append(scene.talk.show(shown(scene))))
        beside.start()
        assert scene.talk.show(shown(scene), lambda: True) is None
        scene.talk.close()
        beside.join(10)
        assert found == [None]
        assert scene.talk.show(shown(scene)) is None
