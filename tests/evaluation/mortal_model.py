"""A model that takes its whole process with it, so many times, where it is asked about one recording."""

from __future__ import annotations

import os
from pathlib import Path

from fake_model import FakeModel


class Mortal(FakeModel):
    """lives: a folder; every death leaves a file there. deaths: how many there are to be."""

    def __init__(self, lives: str, deaths: int, question: str = "Who spoke in clip 1?") -> None:
        super().__init__()
        self.lives, self.deaths, self.question = Path(lives), deaths, question

    def next_logits(self, prompt):
        if self.prepared[-1][0] == self.question and prompt.audio_tokens == 30:
            spent = len([*self.lives.iterdir()])
            if spent < self.deaths:
                (self.lives / f"{os.getpid()}_{spent}").touch()
                os._exit(1)
        return super().next_logits(prompt)
