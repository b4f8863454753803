"""Taking turns: what is heard is answered and said, and what breaks into the kiosk's own words."""

from __future__ import annotations

from scripted_talk import END, SILENCE, SPEECH, ScriptedMouth, SlowWords, phases, talking

from appliance.channels.voice.manners import Manners
from appliance.channels.voice.turns import IDLE, LISTENING
from appliance.errors import BackendFailed


def test_one_sentence_is_heard_answered_and_spoken() -> None:
    mouth = ScriptedMouth()
    with talking(mouth=mouth) as scene:
        scene.sentences.append("洗衣液在哪")
        scene.talk.listen("session-x", "zh")
        scene.until(lambda: scene.talk.phase == LISTENING)
        scene.ears.hear(SILENCE, SPEECH, SPEECH, END)
        scene.until(lambda: scene.told("reply") and scene.talk.phase == IDLE)
        assert scene.told("partial")
        assert scene.told("reply") == [{"text": "洗衣液在哪", "session": "session-0001"}]
        assert phases(scene) == ["idle", "listening", "thinking", "speaking", "idle"]
        assert mouth.said == ["洗衣液在 B3 货架,靠近收银台。"]


def test_the_first_syllable_came_before_the_key() -> None:
    with talking() as scene:
        scene.ears.hear(SPEECH, SPEECH)
        scene.until(lambda: not scene.ears.blocks)
        scene.sentences.append("有货吗")
        scene.talk.listen(None, "zh")
        scene.ears.hear(END)
        scene.until(lambda: scene.told("reply"))
        assert scene.made[0].blocks == 0
        assert scene.told("reply")[0]["text"] == "有货吗"


def test_a_key_that_is_released_ends_the_sentence() -> None:
    with talking() as scene:
        scene.sentences.append("几点关门")
        scene.talk.listen(None, "en")
        scene.until(lambda: scene.talk.phase == LISTENING)
        scene.ears.hear(SPEECH)
        scene.until(lambda: scene.told("partial"))
        scene.talk.finish()
        scene.until(lambda: scene.told("reply"))
        assert scene.languages == ["en"]


def test_nobody_speaks_and_that_is_said() -> None:
    with talking(manners=Manners(patience=0.05)) as scene:
        scene.talk.listen(None, "zh")
        scene.until(lambda: scene.told("silence"))
        scene.until(lambda: scene.talk.phase == IDLE)
        assert scene.told("reply") == []


def test_a_sentence_without_a_word_is_not_answered() -> None:
    with talking(manners=Manners(patience=0.2)) as scene:
        scene.sentences.append("")
        scene.talk.listen(None, "zh")
        scene.until(lambda: scene.talk.phase == LISTENING)
        scene.ears.hear(SPEECH, END)
        scene.until(lambda: scene.told("silence"))
        assert scene.door.acts == 0


def test_no_loudspeaker_is_said_and_the_answer_stands() -> None:
    with talking(mouth=ScriptedMouth(fails=True)) as scene:
        scene.sentences.append("你好")
        scene.talk.listen(None, "zh")
        scene.ears.hear(SPEECH, END)
        scene.until(lambda: scene.told("error") and scene.talk.phase == IDLE)
        assert len(scene.told("reply")) == 1


def test_without_echo_cancellation_the_kiosk_does_not_hear_itself() -> None:
    mouth = ScriptedMouth(at_once=False)
    with talking(mouth=mouth) as scene:
        scene.sentences += ["你好", "不该听到"]
        scene.talk.listen(None, "zh")
        scene.ears.hear(SPEECH, END)
        scene.until(lambda: mouth.said)
        scene.ears.hear(SPEECH, SPEECH, SPEECH, END)
        scene.until(lambda: not scene.ears.blocks)
        assert not mouth.words[0].stopped
        mouth.words[0].over.set()
        scene.until(lambda: scene.talk.phase == IDLE)
        assert len(scene.told("reply")) == 1


def test_with_echo_cancellation_speaking_breaks_off_the_kiosks_words_and_is_answered() -> None:
    mouth = ScriptedMouth(at_once=False)
    with talking(mouth=mouth, manners=Manners(patience=0.5, barge_in=True)) as scene:
        scene.sentences += ["你好", "等一下我要退货"]
        scene.talk.listen(None, "zh")
        scene.ears.hear(SPEECH, END)
        scene.until(lambda: mouth.said)
        scene.ears.hear(SPEECH, SPEECH, END)
        scene.until(lambda: len(scene.told("reply")) == 2)
        assert mouth.words[0].stopped
        assert scene.told("reply")[1]["text"] == "等一下我要退货"
        mouth.words[1].over.set()
        scene.until(lambda: scene.talk.phase == IDLE)


def test_asking_anew_breaks_off_the_kiosks_words() -> None:
    mouth = ScriptedMouth(at_once=False)
    with talking(mouth=mouth) as scene:
        scene.sentences.append("你好")
        scene.talk.listen(None, "zh")
        scene.ears.hear(SPEECH, END)
        scene.until(lambda: mouth.said)
        scene.talk.listen(None, "zh")
        scene.until(lambda: scene.talk.phase == LISTENING)
        assert mouth.words[0].stopped


def test_words_that_could_not_be_said_are_a_failure_that_is_told() -> None:
    mouth = ScriptedMouth()
    with talking(mouth=mouth) as scene:
        say = mouth.say

        def broken(text: str, language: str) -> SlowWords:
            words = say(text, language)
            words.error = BackendFailed("voice: expected to end, got no end")
            return words

        mouth.say = broken  # type: ignore[method-assign]
        scene.sentences.append("你好")
        scene.talk.listen(None, "zh")
        scene.ears.hear(SPEECH, END)
        scene.until(lambda: scene.told("error"))
        assert scene.told("error")[0]["code"] == "backend_failed"


def test_enough_of_an_answer_keeps_the_session() -> None:
    mouth = ScriptedMouth(at_once=False)
    with talking(mouth=mouth) as scene:
        for number in range(2):
            said = number + 1
            scene.sentences.append("你好")
            scene.talk.listen("session-0001" if number else None, "zh")
            scene.until(lambda: scene.talk.phase == LISTENING)
            scene.ears.hear(SPEECH, END)
            scene.until(lambda said=said: len(mouth.words) == said)
            scene.talk.finish()
            scene.until(lambda: scene.talk.phase == IDLE)
            assert mouth.words[-1].stopped
        assert [each["session"] for each in scene.told("reply")] == ["session-0001"] * 2


def test_recognition_that_fails_while_the_kiosk_speaks_silences_it() -> None:
    mouth = ScriptedMouth(at_once=False)
    with talking(mouth=mouth, manners=Manners(patience=0.5, barge_in=True)) as scene:
        scene.sentences.append("你好")
        scene.talk.listen(None, "zh")
        scene.ears.hear(SPEECH, END)
        scene.until(lambda: mouth.words)
        scene.fails.append(BackendFailed("recogniser: broken"))
        scene.ears.hear(SPEECH)
        scene.until(lambda: scene.told("error") and scene.talk.phase == IDLE)
        assert mouth.words[0].stopped
