"""Questions put to recordings: the lines of a benchmark's splits, in SPIRAL's schema.

A script with a list of questions becomes a record for each, all on one recording. `questions/*.jsonl` beside the
scripts ask more about recordings, a file a split: open questions, and such as the recording does not answer.
"""

# pyright: basic
from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ...complaints import first_complaint
from ...files import numbered_lines
from ..writing.scripts import Script

SCRIPT_FIELDS = ("transcript", "original_key_sentence", "test_question", "metadata")
QUESTION_FIELDS = ("question", "choices", "correct_answer", "reference_answers")
FURTHER_FIELDS = ("id", "recording", "question", "original_key_sentence")
"""What every line of `questions/*.jsonl` has; of `QUESTION_FIELDS` the others depend on the kind of question."""

Failed = dict[str, str]
"""An item's id, or its file and line -> why it cannot be used."""


def read_scripts(texts: Path, failed: Failed) -> dict[str, dict]:
    """The usable scripts of `texts/*.jsonl` by id, in their order; the others go into `failed`."""
    scripts: dict[str, dict] = {}
    for path in sorted(texts.glob("*.jsonl")):
        for where, script in _objects(path, failed):
            try:
                for identity, question, key in asked(script):
                    metadata = script["metadata"] | {"id": identity}
                    one = {"test_question": question, "original_key_sentence": key, "metadata": metadata}
                    Script.model_validate(script | one)
                identity = script["metadata"]["id"]
            except ValidationError as error:
                failed[_name(script, where)] = first_complaint(error)
                continue
            except (KeyError, TypeError, ValueError) as error:
                failed[_name(script, where)] = f"{type(error).__name__}: {error}, expected SPIRAL's fields and `split`"
                continue
            if identity in scripts:
                failed[where] = f"the id {identity!r} is already another script's: make ids unique"
            else:
                scripts[identity] = script
    return scripts


def spiral_scripts(annotations: Path) -> Iterator[dict]:
    """The lines of SPIRAL's released annotations as scripts of one split, "test"; what they lack fails when it is read.

    Their `transcript` and their recordings' `sentences` are the same words, cut differently: here the turns are cut as
    the recordings are, with the one or two sentences that the annotations call the key as one. Raises
    FileNotFoundError, and ValueError for lines that are not JSON.
    """
    failed: Failed = {}
    for _, line in _objects(annotations, failed):
        yield {"split": "test"} | {name: line[name] for name in SCRIPT_FIELDS if name in line} | _cut_as_recorded(line)
    if failed:
        raise ValueError(f"{annotations.parent} holds broken lines ({failed}): fetch the annotations again")


def _cut_as_recorded(line: dict) -> dict:
    """`transcript` and `original_key_sentence` by the recording's sentences; empty where they do not tell.

    Of a key that two speakers share, it is what the one says to whom the annotations give it.
    """
    try:
        sentences, key = line["audio_data"]["combined"]["sentences"], line["audio_data"]["key_sentences"]
        first, stop = key["indices"]
        cut = [*sentences[:first], " ".join(sentences[first:stop]), *sentences[stop:]]
        turns = [(turn["speaker"], pieces) for turn, pieces in _dealt(line["transcript"], cut)]
        (said, *_) = [pieces[first] for speaker, pieces in turns if speaker == key["speaker"] and first in pieces]
    except (KeyError, TypeError, ValueError):
        return {}
    transcript = [{"speaker": speaker, "text": list(pieces.values())} for speaker, pieces in turns]
    return {"transcript": transcript, "original_key_sentence": said}


def _dealt(transcript: list[dict], sentences: list[str]) -> Iterator[tuple[dict, dict[int, str]]]:
    """Every turn with its share of the sentences, by their number: as many words as it has.

    Raises ValueError unless turns and sentences are the same words.
    """
    words = [(number, word) for number, sentence in enumerate(sentences) for word in sentence.split()]
    of_turn = [" ".join(turn["text"]).split() for turn in transcript]
    if [word for _, word in words] != [word for own in of_turn for word in own]:
        raise ValueError("the turns and the sentences are other words")
    rest = iter(words)
    for turn, own in zip(transcript, of_turn, strict=True):
        pieces = groupby(islice(rest, len(own)), itemgetter(0))
        yield turn, {number: " ".join(word for _, word in piece) for number, piece in pieces}


def further_questions(texts: Path, scripts: dict[str, dict], failed: Failed) -> dict[str, list[dict]]:
    """The usable lines of `texts/questions/*.jsonl` by split; the others go into `failed`."""
    splits: dict[str, list[dict]] = {}
    for path in sorted(texts.glob("questions/*.jsonl")):
        for where, further in _objects(path, failed):
            try:
                _refuse_unusable(further, scripts)
            except (KeyError, TypeError, ValueError) as error:
                failed[str(further.get("id", where)) if isinstance(further, dict) else where] = (
                    f"{type(error).__name__}: {error}"
                )
                continue
            splits.setdefault(path.stem, []).append(further)
    return splits


def _refuse_unusable(further: Any, scripts: dict[str, dict]) -> None:
    """Raises ValueError that says what is wrong, KeyError or TypeError for a line of another form."""
    if lacking := [name for name in FURTHER_FIELDS if name not in further]:
        raise ValueError(f"it has no {', '.join(lacking)}, expected {', '.join(FURTHER_FIELDS)}")
    if further["recording"] not in scripts:
        raise ValueError(f"it asks about {further['recording']!r}, and there is no such script")
    if further["original_key_sentence"] is not None:
        key_index(scripts[further["recording"]], further["original_key_sentence"])
    if "choices" in further and further["correct_answer"] not in further["choices"]:
        raise ValueError(f"{further['correct_answer']!r} is none of the choices {further['choices']}")


def lines_of(
    scripts: dict[str, dict], further: dict[str, list[dict]], recordings: dict[str, dict]
) -> dict[str, list[dict]]:
    """The lines of every split, in the scripts' order; questions about recordings that are missing are left out."""
    lines: dict[str, list[dict]] = {}
    for identity, script in scripts.items():
        if identity in recordings:
            made = [_line(*question, script, recordings[identity]) for question in asked(script)]
            lines.setdefault(script["split"], []).extend(made)
    for split, questions in further.items():
        for one in questions:
            if (identity := one["recording"]) in recordings:
                question = {name: one[name] for name in QUESTION_FIELDS if name in one}
                line = _line(one["id"], question, one["original_key_sentence"], scripts[identity], recordings[identity])
                lines.setdefault(split, []).append(line)
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
        raise ValueError(f"the key sentence {key!r} occurs {sentences.count(key)} times, expected once")
    return sentences.index(key)


def _objects(path: Path, failed: Failed) -> Iterator[tuple[str, dict]]:
    """("file:line", object) of every line that is one; blank lines pass."""
    for number, line in numbered_lines(path):
        try:
            yield f"{path.name}:{number}", json.loads(line)
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            failed[f"{path.name}:{number}"] = f"not a whole line of JSON ({error}): write the item again"


def _name(script: object, where: str) -> str:
    metadata = script.get("metadata") if isinstance(script, dict) else None
    return str(metadata.get("id", where)) if isinstance(metadata, dict) else where


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
