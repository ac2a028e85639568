"""Questions of four options, without recordings, for what counts and checks them."""

from __future__ import annotations

from speechprune_lib.benchmarks import Example

WORDS = ("apple", "bread", "chalk", "drums")


def example(number: int, answer: int = 0, question: str | None = None, choices=WORDS, start: float = 10.0) -> Example:
    """Of 100 s, with a key sentence of 2 s."""
    return Example(
        id=f"item{number}",
        audio_path=None,
        question=question or f"What was number {chr(97 + number % 26)}{chr(97 + number // 26)} about?",
        choices=choices,
        answer=answer,
        transcript="",
        key_spans=((start, start + 2),),
        kind="lecture",
        duration_s=100.0,
        split="test",
    )
