"""Dialogue: what was said becomes state, flows become answers, and every turn has an outcome."""
