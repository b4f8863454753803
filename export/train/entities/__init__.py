"""Training of the entity tagger on any labelled sentences."""
