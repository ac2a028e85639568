"""Stage 2: scripts -> recordings with exact sentence times."""
