"""Build a SPIRAL-style benchmark: transcripts in, spoken clips with exact sentence times out."""
