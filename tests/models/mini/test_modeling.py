"""What the mini model adds to Qwen2-Audio: positions and a projector."""

from __future__ import annotations

import copy

import pytest
import torch


def ids_of(mini, pattern: str) -> torch.Tensor:
    """ "tAt" -> a text token, an audio token, a text token."""
    audio = mini.model.config.audio_token_id
    return torch.tensor([[audio if kind == "A" else 65 for kind in pattern]])


def test_positions_by_hand(mini):
    positions = mini.model.audio_positions(ids_of(mini, "ttAAAtt"))
    torch.testing.assert_close(positions[0], torch.tensor([0, 1, 2, 2.15, 2.30, 2.45, 3.45]))
    padded = mini.model.audio_positions(ids_of(mini, "ttAAt"), torch.tensor([[0, 1, 1, 1, 1]]))
    torch.testing.assert_close(padded[0], torch.tensor([0, 0, 1, 1.15, 1.30]))


def test_prepared_prompts_carry_them(mini, noise):
    prompt = mini.prepare(noise(1.0), "Who?", instruction="Who?")
    steps = torch.diff(prompt.position_ids)
    torch.testing.assert_close(steps[prompt.is_audio[:-1]], torch.full((25,), 0.15), atol=1e-5, rtol=0)
    torch.testing.assert_close(steps[~prompt.is_audio[:-1]], torch.ones(len(steps) - 25), atol=1e-5, rtol=0)


def test_decoding_goes_on_by_one_from_the_last_position(mini, noise):
    seen = []
    hook = mini.model.get_decoder().register_forward_pre_hook(
        lambda _module, _args, kwargs: seen.append(kwargs["position_ids"]), with_kwargs=True
    )
    mini.model.generate(**mini.model_inputs(noise(0.4), "Who?"), max_new_tokens=4, min_new_tokens=4, do_sample=False)
    hook.remove()
    last = seen[0][0, -1]
    torch.testing.assert_close(torch.cat(seen[1:])[:, 0], last + torch.tensor([1.0, 2.0, 3.0]))


def test_without_a_mask_the_question_still_hears_the_audio(mini, noise):
    """transformers takes jumping positions for packed sequences when there is neither mask nor cache."""
    inputs = mini.model_inputs(noise(0.4), "Who?")
    with torch.no_grad():
        masked = mini.model(**inputs, use_cache=True).logits
        bare = mini.model(**(inputs | {"attention_mask": None}), use_cache=False).logits
    torch.testing.assert_close(bare, masked, atol=1e-5, rtol=0)


def test_where_positions_cannot_be_known_they_are_demanded(mini):
    embeddings = torch.zeros(1, 3, 32)
    with pytest.raises(ValueError, match="pass position_ids"):
        mini.model(inputs_embeds=embeddings)
    with pytest.raises(ValueError, match="pass position_ids"):
        mini.model.generate(inputs_embeds=embeddings, max_new_tokens=1)


def test_the_embedding_table_is_stored_once(mini):
    names = [name for name in mini.model.state_dict() if "embed_tokens" in name]
    assert names == ["model.language_model.embed_tokens.weight"]


def test_audio_tokens_are_mixtures_of_word_embeddings(mini):
    """Also after the table changes, and in a copy: the projector asks the model it sits in."""
    for model in (mini.model, copy.deepcopy(mini.model)):
        bound, table = model.model.multi_modal_projector, model.get_input_embeddings().weight
        features = torch.randn(2, 5, 16)
        with torch.no_grad():
            table.mul_(2.0)
            probability, classes = bound.projector.posterior(features)
            words = torch.cat([bound.projector.blank[None], table[bound.projector.token_ids]])
            expected = torch.einsum("wtk,wtkd->wtd", probability, words[classes])
            torch.testing.assert_close(bound(features), expected)
            table.div_(2.0)
