"""The smoothed posterior against every path written out."""

from __future__ import annotations

import itertools

import pytest
import torch

from speechprune_lib.models.mini.smoothing import smooth


def _by_all_paths(probability, classes, switch):
    frames, top = probability.shape
    weights = torch.zeros(frames, top, dtype=torch.double)
    for path in itertools.product(range(top), repeat=frames):
        weight = 1.0
        for t, k in enumerate(path):
            weight *= float(probability[t, k])
            if t and classes[t, k] != classes[t - 1, path[t - 1]]:
                weight *= switch
        for t, k in enumerate(path):
            weights[t, k] += weight
    return weights / weights.sum(-1, keepdim=True)


@pytest.mark.parametrize("switch", [1.0, 0.3, 0.02])
def test_posterior_is_that_of_all_paths(switch):
    rng = torch.Generator().manual_seed(3)
    probability = torch.rand(2, 6, 3, generator=rng)
    classes = torch.stack([torch.stack([torch.randperm(5, generator=rng)[:3] for _ in range(6)]) for _ in range(2)])
    smoothed = smooth(probability, classes, switch)
    for row in range(2):
        expected = _by_all_paths(probability[row], classes[row], switch)
        torch.testing.assert_close(smoothed[row].double(), expected, rtol=1e-5, atol=1e-6)


def test_a_waver_of_one_frame_gives_way_to_its_neighbours():
    classes = torch.tensor([[[4, 7]] * 5])
    probability = torch.tensor([[[0.8, 0.2], [0.8, 0.2], [0.4, 0.6], [0.8, 0.2], [0.8, 0.2]]])
    assert (smooth(probability, classes).argmax(-1) == 0).all()
    assert smooth(probability, classes, change=1.0)[0, 2].argmax() == 1


def test_a_window_of_one_frame_is_only_normalized():
    smoothed = smooth(torch.tensor([[[0.6, 0.2]]]), torch.tensor([[[1, 2]]]))
    torch.testing.assert_close(smoothed, torch.tensor([[[0.75, 0.25]]]))


def test_silence_of_two_thousand_frames_does_not_underflow():
    probability = torch.full((1, 2000, 2), 1e-6)
    smoothed = smooth(probability, torch.tensor([[[0, 1]]]).expand(1, 2000, 2))
    torch.testing.assert_close(smoothed, torch.full_like(smoothed, 0.5))
