"""Translation: texts as tokens, and texts from a decoder."""
