"""Runs networks: one backend contract, the fallback between backends with its reasons, and the queue before them."""
