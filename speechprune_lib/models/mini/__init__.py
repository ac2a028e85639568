"""The small speech LLM that runs on two CPU cores: Whisper-base, a vocabulary projector, SmolLM2-135M-Instruct."""
