"""The text LLM with an adapter merged into it, kept beside the unpacked one: merging takes longer than reading."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ...files import file_hash
from .base_llm import base_llm, base_revision, kept, read_llm

SETTINGS, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
DOWN = ".lora_A.weight"


def adapted_llm(adapter: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The LLM of `base_llm` with the adapter of this folder, and the tokenizer; merged once, then read from the cache."""
    key = hashlib.sha256(base_revision().encode())
    for name in (SETTINGS, WEIGHTS):
        key.update(bytes.fromhex(file_hash(adapter / name)))

    def write(out: Path) -> None:
        llm, tokenizer = base_llm()
        with_lora(llm, adapter).save_pretrained(out)
        tokenizer.save_pretrained(out)

    return read_llm(str(kept(f"smollm2-adapted-{key.hexdigest()[:16]}", write)))


def with_lora(llm: PreTrainedModel, adapter: Path) -> PreTrainedModel:
    """Add LoRA's update alpha / r * B A to every weight that has one (arXiv 2106.09685, Eq. 3), in place.

    By hand, so that answering needs no peft, which only training uses. Raises ValueError for an adapter of another
    kind than `training` makes.
    """
    settings, state = json.loads((adapter / SETTINGS).read_text()), load_file(adapter / WEIGHTS)
    beyond = [name for name in ("use_dora", "use_rslora", "rank_pattern", "alpha_pattern") if settings.get(name)]
    if beyond or settings["peft_type"] != "LORA":
        raise ValueError(f"{adapter} uses {', '.join(beyond) or settings['peft_type']}, expected plain LoRA")
    with torch.no_grad():
        for name in state:
            if name.endswith(DOWN):
                module: Any = llm.get_submodule(name.removeprefix("base_model.model.").removesuffix(DOWN))
                up, down = state[name.replace("lora_A", "lora_B")].float(), state[name].float()
                module.weight.addmm_(up, down, alpha=settings["lora_alpha"] / settings["r"])
    return llm
