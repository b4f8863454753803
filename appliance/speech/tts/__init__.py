"""Speaking: from the text of an answer to the words of a voice, and from those to sound."""
