"""Channels: the ways in and out. Each is a user of the one door, never of the rooms behind it."""
