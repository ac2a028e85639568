"""What the training wrote down, as tables that the book shows: sittings, learning curves, and how well it hears.

An exported model's folder holds `sittings.json`, kept by hand; `align_N_curve.jsonl` and `tune_N_curve.jsonl`, one a run,
the newest as `export` leaves it, without a number; and `hear_N_*.card.json`, one a run of `hear` on the connector that the
rest of the name tells, or of `yardstick`.
"""

# pandas declares unions that no use of a table narrows.
# pyright: reportReturnType=false, reportCallIssue=false, reportArgumentType=false
from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

GROUPS = {"known": "the training's voices", "kal16": "held-out voice", "joe": "held-out engine"}
"""Groups of `hear` -> how the book calls them; a benchmark's recordings keep their name."""


MEASURES = {"words, smoothed": "smoothed", "words, frame by frame": "frame_by_frame", "frames": "frame_accuracy"}
"""How `compared` calls the measures of `reading.summary`."""


def sittings(folder: Path) -> pd.DataFrame:
    """A line a sitting: stage, run, hours of speech that there were, minutes that it took, and what differed."""
    return pd.DataFrame(json.loads(_existing(folder / "sittings.json").read_text("utf8")))


def curves(folder: Path) -> pd.DataFrame:
    """A line a check on held-out speech. Columns: stage, run, step, held_out (`align`: share of frames named rightly;
    `tune`: loss of the right reply), and what else the stage wrote. Raises FileNotFoundError where there are none."""
    found = sorted(folder.glob("*_curve.jsonl"))
    if not found:
        raise FileNotFoundError(f"{folder} holds no *_curve.jsonl, expected an exported model's folder")
    tables = []
    for file in found:
        stage, *run = file.stem.removesuffix("_curve").split("_")
        number = int(run[0]) if run else 1 + len(list(folder.glob(f"{stage}_*_curve.jsonl")))
        tables.append(pd.read_json(file, lines=True).assign(stage=stage, run=number))
    return pd.concat(tables, ignore_index=True)


def hearing(folder: Path, measure: str = "smoothed") -> pd.DataFrame:
    """A line a tested connector, a column a group of voices: of `measure`, per cent.

    measure: "smoothed" (word error rate of the frames' own reading, and of the whole recognizer that is the yardstick),
    "smoothed_evenly" (every change of token charged the same), "frame_by_frame", or "frame_accuracy".
    """
    measures, lines = ("smoothed", "recognized") if measure == "smoothed" else (measure,), {}
    for connector, groups in _tested(folder).items():
        of_group = {
            GROUPS.get(name, name): next((group[one] for one in measures if one in group), None)
            for name, group in groups.items()
        }
        if all(share is None for share in of_group.values()):
            continue
        lines[connector] = {
            group: None if share is None else round(100 * share, 1) for group, share in of_group.items()
        }
    return pd.DataFrame.from_dict(lines, orient="index").rename_axis("connector")


def compared(folder: Path) -> pd.DataFrame:
    """A line a sitting of `align` that measured a lever, of its `align_*.card.json`: on held-out passages, words read wrongly,
    smoothed and frame by frame, and frames named rightly, per cent; and the minutes that it took."""
    lines = {}
    for lever, file in _levers(folder, "align_", ".card.json"):
        card = json.loads(file.read_text("utf8"))
        heard = card["held_out"]
        shares = {name: round(100 * heard[measure], 1) for name, measure in MEASURES.items()}
        minutes = round(card["seconds_of_last_sitting"] / 60)
        lines[lever] = shares | {"minutes": minutes}
    return pd.DataFrame.from_dict(lines, orient="index").rename_axis("lever").convert_dtypes()


def tuned(folder: Path) -> pd.DataFrame:
    """A line a sitting of `tune` that measured a lever, of the last line of its `tune_*.curve.jsonl`: steps, loss of the right reply on
    held-out passages, and their questions that were answered rightly, per cent."""
    lines = {}
    for lever, file in _levers(folder, "tune_", ".curve.jsonl"):
        last = json.loads(file.read_text("utf8").splitlines()[-1])
        lines[lever] = {
            "steps": last["step"],
            "held-out loss": round(last["held_out"], 3),
            "held-out questions": last["held_out_questions"],
            "right (%)": round(100 * last["held_out_accuracy"], 1),
        }
    return pd.DataFrame.from_dict(lines, orient="index").rename_axis("lever").convert_dtypes()


def _levers(folder: Path, begin: str, end: str) -> Iterator[tuple[str, Path]]:
    """The files of this kind, each with its lever's name."""
    for file in sorted(folder.glob(f"{begin}*{end}")):
        yield file.name.removeprefix(begin).removesuffix(end).replace("_", " "), file


def coverage(folder: Path) -> pd.DataFrame:
    """Content words of the development recordings by how often training spoke them: their share, and how many are heard, per cent."""
    tables = {
        (connector, name): (100 * pd.DataFrame(group["content_words"]).set_index("spoken_at_least")).round(1)
        for connector, groups in _tested(folder).items()
        for name, group in groups.items()
        if "content_words" in group
    }
    return pd.concat(tables, names=["connector", "recordings"])[["share", "heard"]]


def _tested(folder: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Every connector that `hear` tested, by its cards' name, with what was found in each group of voices.

    Where it was tested more than once, the last finding counts, and what only an earlier one has stays.
    """
    tested: dict[str, dict[str, dict[str, Any]]] = {}
    for file in sorted(folder.glob("hear_*.card.json")):
        _, _, *name = file.name.removesuffix(".card.json").split("_")
        groups = tested.setdefault(" ".join(name), {})
        for group, found in json.loads(file.read_text("utf8")).items():
            if isinstance(found, dict) and "words" in found:
                groups.setdefault(group, {}).update(found)
    return tested


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"no {path.name} in {path.parent}, expected an exported model's folder")
    return path
