"""Stage 1: transcripts with a key sentence and a four-way question, by a language model or by hand."""
