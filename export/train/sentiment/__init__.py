"""Sentiment: `python -m export.train.sentiment`."""
