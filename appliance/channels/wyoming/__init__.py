"""A listener for Wyoming, the voice protocol of Home Assistant (github.com/OHF-Voice/wyoming): off unless asked for.

The protocol is lines of JSON with bytes behind them, so it is read here and not by the package `wyoming`, whose reader
takes any length that a stranger announces and any line of 64 KiB for an end of the connection; the tests ask with its
client. Served are speech to text, text to speech, intents, and whole answers (Home Assistant's conversation).
"""
