"""Listens into the kiosk's own words: whether somebody speaks into them, and for long enough to mean it."""

from __future__ import annotations

from collections.abc import Callable

from appliance.channels.voice.parts import Ears, Playing, Samples
from appliance.speech.listen import Final, Partial, Utterances

LOOK_S = 0.025
"""Longest wait for sound while the kiosk speaks: what a customer who speaks into it waits at most for a look."""


def attend(
    playing: Playing,
    ears: Ears,
    utterances: Utterances | None,
    insisting: float,
    *,
    asked: Callable[[], bool] = lambda: False,
    took: Callable[[Samples], None] = lambda _samples: None,
) -> tuple[bool | None, list[Partial | Final]]:
    """Wait for the end of what is said; it is broken off as soon as somebody has spoken for `insisting` seconds.

    `utterances` hears into it; None where nothing may break it off. True with what was heard where somebody did, None
    where `asked` said so, which breaks it off as well, else False. `took` gets all sound that came.
    """
    heard: list[Partial | Final] = []
    while not playing.done:
        if asked():
            playing.stop()
            return None, []
        samples = ears.read(LOOK_S)
        if not len(samples):
            continue
        took(samples)
        if utterances is None:
            continue
        heard += utterances.feed(samples)
        if heard or utterances.voiced >= insisting:
            playing.stop()
            return True, heard
    return False, []
