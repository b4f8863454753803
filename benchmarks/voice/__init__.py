"""What a spoken conversation is worth at a counter: interruptions, ghost words, and hours of capture."""
