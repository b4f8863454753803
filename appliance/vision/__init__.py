"""Vision: from the bytes of a photo to lines of text in reading order."""
