"""Stage 3: how well the recordings are spoken, by a recognizer and by predicted opinion scores."""
