"""Understanding of written Chinese and English: cleaning, numerals, entities, intents."""
