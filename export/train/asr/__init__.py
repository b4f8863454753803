"""Trains the small streaming recogniser: text, voices, distortion, network, characters, measure."""
