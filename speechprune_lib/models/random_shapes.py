"""What the families are built from, tiny and in their real dimensions, and what their encoders take: data, no code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Size = Literal["tiny", "real"]

VOCABULARY, PLACEHOLDER = 320, 300
TEXT: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 8192,
    "initializer_range": 0.2,  # a wide start: logits far enough apart to tell one token from another
    "eos_token_id": 1,
    "pad_token_id": 1,
    "bos_token_id": 0,
}
ENCODER: dict[str, Any] = {"num_mel_bins": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 16}
OLD_ENCODER: dict[str, Any] = {
    "num_mel_bins": 8,
    "encoder_layers": 1,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 16,
    "d_model": 16,
}
IMAGES = {"image_token_id": 301, "video_token_id": 302, "vision_start_token_id": 306, "vision_end_token_id": 307}
ROTARY = {"rope_type": "default", "rope_theta": 1e4}


@dataclass(frozen=True)
class Shape:
    """How to build one family, and what its encoder takes.

    `tiny`: arguments of its config. `real`: those of the checkpoint's dimensions ({}: the class's defaults), None where
    the class's defaults are another model's and the checkpoint's are not at hand. `features`, `mask` and `sizes`: names
    of what its forward takes; the features are (batch, mel, frames), or (batch, frames, mel) with `frames_first`.
    `seconds`: the audio that one prompt holds; `frames_per_second`: of the features.
    """

    config_class: str
    tiny: dict[str, Any]
    real: dict[str, Any] | None
    seconds: float
    mask: str | None
    features: str = "input_features"
    sizes: str | None = None
    frames_first: bool = False
    frames_per_second: int = 100
    mel_bins: str = "audio_config.num_mel_bins"
    opening: str | None = None  # config's name of a token that must stand before the audio
    mask_of_tokens: bool = False  # the mask counts audio tokens, not frames


FLAMINGO: dict[str, Any] = {
    "audio_config": ENCODER | {"intermediate_size": 16, "model_type": "audioflamingo3_encoder"},
    "text_config": TEXT | {"model_type": "qwen2"},
    "audio_token_id": PLACEHOLDER,
}
"""Audio Flamingo's and Music Flamingo's: one architecture."""

SHAPES: dict[str, Shape] = {
    "Qwen2AudioForConditionalGeneration": Shape(
        "Qwen2AudioConfig",
        {
            "audio_config": OLD_ENCODER,
            "text_config": TEXT | {"model_type": "qwen2"},
            "audio_token_index": PLACEHOLDER,
        },
        # the hub's config: the class's defaults are another model
        {"text_config": {"model_type": "qwen2", "intermediate_size": 11008, "vocab_size": 156032}},
        seconds=30.0,
        mask="feature_attention_mask",
    ),
    "VoxtralForConditionalGeneration": Shape(
        "VoxtralConfig",
        {
            "audio_config": ENCODER | {"intermediate_size": 64},
            "text_config": TEXT | {"head_dim": 8},
            "audio_token_id": PLACEHOLDER,
        },
        {"audio_token_id": 24},
        seconds=30.0,
        mask=None,
    ),
    "AudioFlamingo3ForConditionalGeneration": Shape(
        "AudioFlamingo3Config",
        FLAMINGO,
        None,
        seconds=30.0,
        mask="input_features_mask",
    ),
    "MusicFlamingoForConditionalGeneration": Shape(
        "MusicFlamingoConfig",
        FLAMINGO,
        None,
        seconds=30.0,
        mask="input_features_mask",
    ),
    "GlmAsrForConditionalGeneration": Shape(
        "GlmAsrConfig",
        {
            "audio_config": ENCODER | {"intermediate_size": 64},
            "text_config": TEXT | {"head_dim": 8},
            "audio_token_id": PLACEHOLDER,
            "tie_word_embeddings": False,
        },
        {},
        seconds=30.0,
        mask="input_features_mask",
    ),
    "GraniteSpeechForConditionalGeneration": Shape(
        "GraniteSpeechConfig",
        {
            "text_config": TEXT | {"model_type": "granite", "embedding_multiplier": 12.0},
            "encoder_config": {
                "input_dim": 8,
                "num_layers": 2,
                "hidden_dim": 16,
                "num_heads": 2,
                "output_dim": 6,
                "context_size": 20,
                "max_pos_emb": 32,
            },
            "projector_config": {
                "model_type": "blip_2_qformer",
                "hidden_size": 16,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "intermediate_size": 16,
                "encoder_hidden_size": 16,
            },
            "audio_token_index": PLACEHOLDER,
            "has_lora_adapter": False,
            "tie_word_embeddings": False,
        },
        None,
        seconds=6.0,
        mask="input_features_mask",
        mask_of_tokens=True,
        frames_first=True,
        frames_per_second=50,
        mel_bins="encoder_config.input_dim",
    ),
    "Qwen2_5OmniThinkerForConditionalGeneration": Shape(
        "Qwen2_5OmniThinkerConfig",
        {
            "audio_config": OLD_ENCODER | {"output_dim": 32},
            "vision_config": {
                "depth": 1,
                "hidden_size": 16,
                "intermediate_size": 16,
                "num_heads": 2,
                "out_hidden_size": 32,
                "fullatt_block_indexes": [0],
            },
            "text_config": TEXT | {"rope_parameters": ROTARY | {"mrope_section": [1, 1, 2]}},
            "audio_token_index": PLACEHOLDER,
            "image_token_index": 301,
            "video_token_index": 302,
            "vision_start_token_id": 306,
            "vision_end_token_id": 307,
            "audio_start_token_id": 303,
            "audio_end_token_id": 304,
        },
        {"vision_start_token_id": 151652, "vision_end_token_id": 151653, "vision_config": {"hidden_size": 1280}}
        | {
            "text_config": {
                "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]}
            }
        },
        seconds=4.0,
        mask="feature_attention_mask",
        opening="audio_start_token_id",
    ),
    "Qwen3OmniMoeThinkerForConditionalGeneration": Shape(
        "Qwen3OmniMoeThinkerConfig",
        {
            "audio_config": OLD_ENCODER | {"output_dim": 32, "downsample_hidden_size": 4},
            "vision_config": {
                "depth": 1,
                "hidden_size": 16,
                "intermediate_size": 16,
                "num_heads": 2,
                "out_hidden_size": 32,
                "deepstack_visual_indexes": [0],
                "num_position_embeddings": 16,
            },
            "text_config": TEXT
            | {"head_dim": 8, "moe_intermediate_size": 16, "num_experts": 4, "num_experts_per_tok": 2}
            | {"rope_parameters": ROTARY | {"mrope_section": [2, 1, 1]}},
            "audio_token_id": PLACEHOLDER,
            "audio_start_token_id": 303,
        }
        | IMAGES,
        None,
        seconds=4.0,
        mask="feature_attention_mask",
        opening="audio_start_token_id",
    ),
    "Qwen3ASRForConditionalGeneration": Shape(
        "Qwen3ASRConfig",
        {
            "audio_config": OLD_ENCODER | {"output_dim": 32, "downsample_hidden_size": 4},
            "text_config": TEXT | {"head_dim": 8},
            "audio_token_id": PLACEHOLDER,
            "timestamp_token_id": 305,
            "eos_token_id": 1,
            "pad_token_id": 1,
            "tie_word_embeddings": False,
        },
        None,
        seconds=4.0,
        mask="input_features_mask",
    ),
    "Phi4MultimodalForCausalLM": Shape(
        "Phi4MultimodalConfig",
        TEXT
        | {
            "audio_config": {
                "hidden_size": 16,
                "intermediate_size": 16,
                "num_blocks": 2,
                "num_attention_heads": 2,
                "ext_pw_out_channel": 16,
                "depthwise_separable_out_channel": 16,
                "input_size": 8,
                "nemo_conv_channels": 4,
                "audio_token_id": PLACEHOLDER,
            },
            "vision_config": {
                "hidden_size": 16,
                "intermediate_size": 16,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "image_size": 28,
                "crop_size": 28,
                "image_token_id": 301,
            },
        },
        {},
        seconds=4.0,
        mask="audio_attention_mask",
        features="audio_input_features",
        sizes="audio_embed_sizes",
        frames_first=True,
        mel_bins="audio_config.input_size",
    ),
    "Gemma4ForConditionalGeneration": Shape(
        "Gemma4Config",
        {
            "text_config": TEXT
            | {"head_dim": 8, "layer_types": ["sliding_attention", "full_attention"], "sliding_window": 512}
            | {"hidden_size_per_layer_input": 4, "vocab_size_per_layer_input": VOCABULARY, "num_kv_shared_layers": 0}
            | {"tie_word_embeddings": False},
            "audio_config": {
                "hidden_size": 16,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "subsampling_conv_channels": [128, 4],
                "output_proj_dims": 16,
            },
            "vision_config": None,
            "audio_token_id": PLACEHOLDER,
            "image_token_id": 301,
            "video_token_id": 302,
            "boa_token_id": 303,
            "eoa_token_index": 304,
            "boi_token_id": 305,
            "eoi_token_id": 306,
            "tie_word_embeddings": False,
        },
        None,
        seconds=4.0,
        mask="input_features_mask",
        frames_first=True,
        mel_bins="",
    ),
}

GEMMA_MEL_BINS = 128
"""Gemma's audio encoder takes as many, and its config has no field for them."""
