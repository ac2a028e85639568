"""Pruned prompts for vLLM: saved here, answered there.

vLLM takes audio as embeddings where its model does (`audio_embeds`, with `enable_mm_embeds=True`), and any prompt as
embeddings (`prompt_embeds`, with `enable_prompt_embeds=True`). It numbers positions itself, from 0 without a gap, so what
is served is always the plan's "renumbered" prompt, whatever `positions` says.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..prompt import SpeechPrompt
from .adapter import TransformersSpeechModel

Form = Literal["audio_embeds", "prompt_embeds"]
"""The kept audio beside the prompt's text, or the whole prompt as embeddings."""


def export_for_vllm(
    path: str | Path,
    model: TransformersSpeechModel,
    prompt: SpeechPrompt,
    instruction: str,
    form: Form = "audio_embeds",
) -> Path:
    """Save a (pruned) prompt with its text as safetensors; `instruction` is the one that it was prepared with.

    "audio_embeds": (kept tokens, hidden size), and a text in which one placeholder stands for all of them: vLLM repeats
    it once a row. "prompt_embeds": (sequence, hidden size). Raises ValueError for a prompt without audio, for windows
    in spans of their own, and for the mini model, whose fractional positions vLLM does not know.
    """
    _check(model, prompt, form)
    text = model.prompt_text([1], instruction)
    tensor = prompt.audio if form == "audio_embeds" else prompt.embeddings
    metadata = {"form": form, "prompt": text, "model": model.row.hub_id, "revision": model.revision, "format": "pt"}
    path = Path(path)
    save_file({form: tensor.detach().cpu().contiguous()}, path, metadata)
    return path


def read_for_vllm(path: str | Path) -> dict[str, Any]:
    """The saved prompt as `vllm.LLM.generate` takes it. Raises ValueError for another file."""
    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
        form = metadata.get("form")
        if form not in get_args(Form) or form not in file.keys():  # noqa: SIM118  (the file is no mapping)
            raise ValueError(f"{path} holds {json.dumps(sorted(file.keys()))}, expected what export_for_vllm saves")
        tensor = file.get_tensor(form)
    if form == "prompt_embeds":
        return {"prompt_embeds": tensor}
    return {"prompt": metadata["prompt"], "multi_modal_data": {"audio": {"audio_embeds": tensor}}}


def _check(model: TransformersSpeechModel, prompt: SpeechPrompt, form: str) -> None:
    if form not in get_args(Form):
        raise ValueError(f"form is {form!r}, expected {' or '.join(map(repr, get_args(Form)))}")
    if prompt.audio_tokens == 0:
        raise ValueError("the prompt has no audio tokens to serve: prepare it with audio")
    if model.long_audio == "spans":
        raise ValueError("windows in spans of their own cannot be exported: load the model with long_audio='joined'")
    if _fractional(prompt.position_ids):
        raise ValueError(
            f"{model.name} counts positions in fractions, which vLLM does not know: export another model's"
        )


def _fractional(positions: Tensor) -> bool:
    return positions.dtype.is_floating_point and bool((positions != torch.round(positions)).any())
