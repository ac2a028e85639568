"""What `align` minimizes: a sampled softmax over the tokens, frame by frame, and the tokens in order.

Sampled (what is said and a few thousand other tokens), because the whole vocabulary on every frame would cost more than
the rest of the network.
"""

# pyright: basic
from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from .spelled import SpelledClassifier


def frame_loss(
    net: SpelledClassifier,
    features: Float[Tensor, "windows frames width"],
    classes: Int[Tensor, "windows frames"],
    *,
    negatives: int,
    share: float,
    smoothing: float,
    sequence: float = 0.0,
) -> Tensor:
    """Cross-entropy of a `share` of the frames against what is said in them, over the classes said and random others.

    classes: -100 where nothing is heard. sequence: weight of `sequence_loss` beside it.
    """
    hidden, known = net.net.hidden(features), classes >= 0
    heard = known & (torch.rand(classes.shape, device=classes.device) < share)
    others = torch.randint(1, net.net.output.out_features, (negatives,), device=classes.device)
    present = classes[known if sequence else heard]
    sampled = torch.unique(torch.cat([present, present.new_zeros(1), others]))
    rows, bias = net.rows(sampled), net.net.output.bias[sampled]
    logits = functional.linear(hidden[heard], rows, bias).float()
    target = torch.searchsorted(sampled, classes[heard])
    loss = functional.cross_entropy(logits, target, label_smoothing=smoothing)
    if sequence:
        every = functional.linear(hidden, rows, bias).float().log_softmax(-1)
        loss = loss + sequence * sequence_loss(every, classes, sampled)
    return loss


def sequence_loss(
    log_probability: Float[Tensor, "windows frames sampled"],
    classes: Int[Tensor, "windows frames"],
    sampled: Int[Tensor, " sampled"],
) -> Tensor:
    """CTC (Graves et al. 2006, Eq. 8) of each window's tokens in order, per token: a run of equal frames says its token once.

    So it charges what `VocabularyProjector.reading` would get wrong, wherever in time. sampled: the class of every column,
    ascending, blank first.
    """
    said = [torch.unique_consecutive(row[row >= 0]) for row in classes]
    said = [torch.searchsorted(sampled, row[row > 0]) for row in said]
    return functional.ctc_loss(
        log_probability.transpose(0, 1),
        torch.cat(said),
        (classes >= 0).sum(1),
        torch.tensor([len(row) for row in said], device=classes.device),
        zero_infinity=True,
    )
