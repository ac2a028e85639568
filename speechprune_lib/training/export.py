"""Stage 5, `export`: the trained parts, as the mini model's loader reads them, in `data/models/mini`."""

# pyright: basic
from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from peft import PeftConfig
from safetensors.torch import load_file, save_file
from transformers import Qwen2AudioEncoder

from ..files import write_whole
from ..models.mini.adapted import WEIGHTS
from ..models.mini.connector import VocabularyProjector
from ..models.mini.load import ADAPTER, CONFIG, CONNECTOR, ENCODER, LOST_FRAMES
from ..models.rows import MINI


def projector_from(align_checkpoint: Path, embedding_dim: int) -> VocabularyProjector:
    """The projector around the classifier that `align` trained; its blank vector is still zero."""
    saved = torch.load(align_checkpoint, weights_only=True)
    settings, width = saved["settings"], saved["net"]["enter.weight"].shape[1]
    shape, pairs = (width, settings["dim"], settings["depth"]), len(saved["transitions"]["pairs"])
    projector = VocabularyProjector(*shape, saved["token_ids"], embedding_dim, pairs)
    projector.classifier.load_state_dict(saved["folded"])
    if projector.transitions is not None:
        projector.transitions.load_state_dict(saved["transitions"])
    return projector.eval()


def export(encoder: Qwen2AudioEncoder, trained: Path, out: Path) -> None:
    """Write encoder, connector and adapters in half precision, and `config.json` with their shapes.

    The adapter of whole audio must be there; of the others, those that were trained.
    """
    blank = torch.load(trained / f"{ADAPTER}.pt", weights_only=True)["trained"][-1]
    projector = projector_from(trained / "align.pt", len(blank))
    projector.blank.data.copy_(blank)
    adapters = [name for name in (ADAPTER, LOST_FRAMES) if (trained / name).is_dir()]
    _export_connector(encoder, projector, trained, out, ("align", *adapters))
    _save(encoder.state_dict(), out / ENCODER)
    for name in adapters:
        _export_adapter(trained / name, out / name)


def export_connector(encoder: Qwen2AudioEncoder, trained: Path, out: Path, blank: torch.Tensor) -> None:
    """Write the connector alone, for another sitting of `align` to begin with: no adapter has met it yet.

    The encoder comes with it where `align` trained layers of that. blank: the vector of "no word here" that an adapter
    knows from an earlier connector, so that both fit together.
    """
    projector = projector_from(trained / "align.pt", len(blank))
    projector.blank.data.copy_(blank)
    _export_connector(encoder, projector, trained, out, ("align",))
    if "upper" in torch.load(trained / "align.pt", weights_only=True):
        _save(encoder.state_dict(), out / ENCODER)


def export_adapter(trained: Path, out: Path, name: str) -> None:
    """Add an adapter to an exported model: its folder, its card under its name in `card.json`, its learning curve."""
    _export_adapter(trained / name, out / name)
    card = json.loads((out / "card.json").read_text()) | {name: json.loads((trained / f"{name}.card.json").read_text())}
    write_whole(out / "card.json", json.dumps(card, indent=1) + "\n")
    shutil.copy(trained / f"{name}.jsonl", out / f"{name}_curve.jsonl")


def _export_connector(
    encoder: Qwen2AudioEncoder, projector: VocabularyProjector, trained: Path, out: Path, stages: tuple[str, ...]
) -> None:
    """With the cards of all stages so far, and these stages' learning curves."""
    out.mkdir(parents=True, exist_ok=True)
    _save(projector.state_dict(), out / CONNECTOR)
    write_whole(out / CONFIG, json.dumps(_config(encoder, projector), indent=1) + "\n")
    paths = {stage: trained / f"{stage}.card.json" for stage in ("speak", "encode", "hear", *stages)}
    cards = {stage: json.loads(path.read_text()) for stage, path in paths.items() if path.exists()}
    write_whole(out / "card.json", json.dumps(cards, indent=1) + "\n")
    for stage in stages:
        shutil.copy(trained / f"{stage}.jsonl", out / f"{stage}_curve.jsonl")


def _export_adapter(trained: Path, out: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    _save(load_file(trained / WEIGHTS), out / WEIGHTS)
    lora = PeftConfig.from_pretrained(str(trained))
    lora.base_model_name_or_path = MINI.hub_id
    lora.save_pretrained(str(out))


def _config(encoder: Qwen2AudioEncoder, projector: VocabularyProjector) -> dict:
    shape = encoder.config
    classifier = projector.classifier
    return {
        "encoder": {
            "num_mel_bins": shape.num_mel_bins,
            "encoder_layers": shape.encoder_layers,
            "encoder_attention_heads": shape.encoder_attention_heads,
            "encoder_ffn_dim": shape.encoder_ffn_dim,
            "d_model": shape.d_model,
            "max_source_positions": shape.max_source_positions,
        },
        "connector": {
            "dim": classifier.norm.normalized_shape[0],
            "depth": len(classifier.blocks),
            "tokens": len(projector.token_ids),
            "pairs": 0 if projector.transitions is None else len(projector.transitions.pairs),
        },
    }


def _save(state: dict[str, torch.Tensor], path: Path) -> None:
    half = {k: v.half().contiguous() if v.is_floating_point() else v.contiguous() for k, v in state.items()}
    save_file(half, str(path))
