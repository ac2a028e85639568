"""Rows that know their spelling, against sums by hand."""

import torch

from speechprune_lib.training.spelling import BUCKETS, Spelling, letter_groups


def test_letter_groups_of_a_short_word():
    assert len(letter_groups("at")) == 4  # a, t, at, and the word itself
    assert letter_groups(" At") == letter_groups(" at")
    assert set(letter_groups("at")) & set(letter_groups("cat"))
    assert all(0 <= group < BUCKETS for group in letter_groups(" unbelievably"))


def test_rows_are_means_of_the_groups_vectors():
    spelling = Spelling(["at", "cat", "dog"], dim=5)
    with torch.no_grad():
        spelling.vectors.weight.normal_(generator=torch.Generator().manual_seed(0))
    rows = spelling(torch.tensor([0, 2, 1, 2]))
    for row, token in ((1, "cat"), (2, "at"), (3, "cat")):
        expected = spelling.vectors.weight[letter_groups(token)].mean(0)
        torch.testing.assert_close(rows[row], expected)
    assert not rows[0].any()  # "no word here" has no letters


def test_it_begins_by_adding_nothing_and_learns():
    spelling = Spelling(["at", "cat"], dim=3)
    assert not spelling(torch.tensor([1, 2])).any()
    spelling(torch.tensor([2])).sum().backward()
    touched = spelling.vectors.weight.grad.abs().sum(-1).nonzero().squeeze(-1).tolist()
    assert touched == letter_groups("cat")
