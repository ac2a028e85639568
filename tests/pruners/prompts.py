"""Prompts in miniature: random audio between two text tokens on each side."""

import torch

from speechprune_lib.prompt import FirstAttention, SpeechPrompt


def random_prompt(
    total: int,
    dim: int = 8,
    words: int = 3,
    tokens_per_second: float = 5.0,
    query_heads: int = 4,
    key_heads: int = 2,
    head_dim: int = 3,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> SpeechPrompt:
    """Tokens vary around a vector that lasts some tokens, as speech does; the norm has weights of both signs."""
    random = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=random).to(dtype)

    audio = draw(total // 4 + 1, dim).repeat_interleave(4, 0)[:total] + 0.5 * draw(total, dim)
    norm_weight = draw(dim)
    attention = FirstAttention(
        draw(query_heads * head_dim, dim),
        draw(key_heads * head_dim, dim),
        query_heads,
        key_heads,
        lambda x: torch.nn.functional.rms_norm(x, (dim,), norm_weight, 1e-6),
    )
    return prompt_of(audio, draw(words, dim), tokens_per_second, attention)


def prompt_of(
    audio: torch.Tensor, question: torch.Tensor, tokens_per_second: float, attention: FirstAttention
) -> SpeechPrompt:
    text = torch.full((2, audio.shape[1]), 0.25, dtype=audio.dtype)
    is_audio = torch.zeros(len(audio) + 4, dtype=torch.bool)
    is_audio[2:-2] = True
    return SpeechPrompt(
        embeddings=torch.cat([text, audio, text]),
        position_ids=torch.arange(len(audio) + 4),
        is_audio=is_audio,
        question=question,
        tokens_per_second=tokens_per_second,
        first_attention=lambda: attention,
    )
