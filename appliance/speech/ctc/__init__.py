"""Recognisers whose network gives the probabilities of tokens for every step (CTC): front ends, search, words."""
