"""Questions put to recordings: the lines of a benchmark's splits, in SPIRAL's schema.

A script with a list of questions becomes a record for each, all on one recording. `questions/*.jsonl` beside the scripts
ask more about recordings, a file a split: open questions, and such as the recording does not answer.
"""

# pyright: basic
from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

QUESTION_FIELDS = ("question", "choices", "correct_answer", "reference_answers")


def json_lines(path: Path) -> Iterator[dict]:
    """The file's objects. Raises ValueError naming the line that is none."""
    for number, line in enumerate(path.read_text("utf8").splitlines(), start=1):
        try:
            yield json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}:{number} is not a line of JSON ({error})") from error


def splits(texts: Path, scripts: dict[str, dict], recordings: dict[str, dict]) -> dict[str, list[dict]]:
    """The lines of every split; questions about recordings that are missing are left out.

    scripts and recordings are by id. Raises ValueError for a question about no script.
    """
    lines: dict[str, list[dict]] = {}
    for identity, recording in recordings.items():
        lines.setdefault(scripts[identity]["split"], []).extend(_asked(scripts[identity], recording))
    for path in sorted(texts.glob("questions/*.jsonl")):
        for further in json_lines(path):
            identity = further["recording"]
            if identity not in scripts:
                raise ValueError(f"{path}: {further['id']} asks about {identity!r}, and there is no such script")
            if identity in recordings:
                line = _further(further, scripts[identity], recordings[identity])
                lines.setdefault(path.stem, []).append(line)
    return lines


def asked(script: dict) -> list[tuple[str, dict, str]]:
    """(id, question, key sentence) of a script's questions: one, or a list of them with a list of key sentences."""
    identity = script["metadata"]["id"]
    if isinstance(script["test_question"], dict):
        return [(identity, script["test_question"], script["original_key_sentence"])]
    pairs = zip(script["test_question"], script["original_key_sentence"], strict=True)
    return [(f"{identity}_q{number}", question, key) for number, (question, key) in enumerate(pairs, start=1)]


def key_index(script: dict, key: str) -> int:
    """Which of the script's sentences the key is. Raises ValueError unless it occurs once."""
    sentences = [sentence for turn in script["transcript"] for sentence in turn["text"]]
    if sentences.count(key) != 1:
        identity, count = script["metadata"]["id"], sentences.count(key)
        raise ValueError(f"{identity}: the key sentence {key!r} occurs {count} times, expected once")
    return sentences.index(key)


def _asked(script: dict, recording: dict) -> Iterator[dict]:
    for identity, question, key in asked(script):
        yield _line(identity, question, key, script, recording)


def _further(further: dict, script: dict, recording: dict) -> dict:
    question = {name: further[name] for name in QUESTION_FIELDS if name in further}
    return _line(further["id"], question, further["original_key_sentence"], script, recording)


def _line(identity: str, question: dict, key: str | None, script: dict, recording: dict) -> dict:
    return {
        "transcript": script["transcript"],
        "original_key_sentence": key,
        "test_question": question,
        "metadata": script["metadata"] | {"id": identity},
        "audio_data": {"key_sentences": _key(script, key), **recording},
    }


def _key(script: dict, key: str | None) -> dict | None:
    """The key sentence as SPIRAL tells it; None where the recording does not hold the answer."""
    if key is None:
        return None
    index = key_index(script, key)
    speaker = next(turn["speaker"] for turn in script["transcript"] if key in turn["text"])
    return {"speaker": speaker, "text": key, "indices": [index, index + 1]}
