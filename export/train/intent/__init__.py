"""Intents: `python -m export.train.intent`."""
