"""The loss and the scores of spans against loops over all of them."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_bertcrf.layers import span_scorer
from spacy_bertcrf.layers.span_scorer import SpanParts, blocks, rotated, span_losses, span_scores

WIDTH = 4


def random_parts(seed, lengths, n_labels):
    random = torch.Generator().manual_seed(seed)
    shape = (len(lengths), max(lengths))
    vectors = [torch.randn(*shape, WIDTH, generator=random).double() * 2 for _ in range(2)]
    biases = [torch.randn(*shape, n_labels, generator=random).double() for _ in range(2)]
    mask = torch.arange(shape[1]) < torch.tensor(lengths)[:, None]
    return SpanParts(*vectors, *biases, mask)


def spans_of(lengths, n_labels, max_length):
    return [
        (text, label, first, last)
        for text, length in enumerate(lengths)
        for label in range(n_labels)
        for first in range(length)
        for last in range(first, length if max_length is None else min(length, first + max_length))
    ]


cases = {
    "seed": st.integers(0, 2**16),
    "lengths": st.lists(st.integers(1, 6), min_size=1, max_size=3),
    "n_labels": st.integers(1, 3),
    "max_length": st.sampled_from([None, 1, 3]),
    "block": st.sampled_from([1, 40, 2**20]),
}


@pytest.mark.slow
@given(**cases, with_unknown=st.booleans())
@settings(deadline=None, max_examples=60)
def test_the_loss_is_that_of_all_spans_in_any_blocks(
    seed, lengths, n_labels, max_length, block, with_unknown
):
    """A block that is left out, or counted twice, would teach something else in long texts."""
    parts = random_parts(seed, lengths, n_labels)
    for part in parts[:4]:
        part.requires_grad_()
    every = spans_of(lengths, n_labels, max_length)
    random = torch.Generator().manual_seed(seed)
    gold = [span for span in every if torch.rand((), generator=random) < 0.2]
    unknown = None
    if with_unknown:
        unknown = torch.rand(*parts.start.shape, generator=random) < 0.3
    scores = span_scores(parts, torch.tensor(every).view(-1, 4))
    losses = []
    for text in range(len(lengths)):
        loss = 0.0
        for label in range(n_labels):
            has, lacks = [torch.zeros(())], [torch.zeros(())]
            for span, score in zip(every, scores, strict=True):
                if span[:2] != (text, label):
                    continue
                if span in gold:
                    has.append(-score)
                elif unknown is None or not unknown[text, span[2] : span[3] + 1, label].any():
                    lacks.append(score)
            loss = loss + torch.stack(has).logsumexp(0) + torch.stack(lacks).logsumexp(0)
        losses.append(loss + 0 * scores.sum())
    expected = torch.stack(losses)
    expected.sum().backward()
    gradients = [part.grad.clone() for part in parts[:4]]
    for part in parts[:4]:
        part.grad = None
    usual, span_scorer.BLOCK_SCORES = span_scorer.BLOCK_SCORES, block
    try:
        found = span_losses(
            parts, torch.tensor(gold).view(-1, 4).long(), unknown, max_length=max_length
        )
    finally:
        span_scorer.BLOCK_SCORES = usual
    torch.testing.assert_close(found, expected)
    found.sum().backward()
    for part, gradient in zip(parts[:4], gradients, strict=True):
        torch.testing.assert_close(part.grad, gradient)


@given(**cases)
@settings(deadline=None, max_examples=40)
def test_blocks_have_each_span_once(seed, lengths, n_labels, max_length, block):
    """Else spans would be found twice, or not at all."""
    parts = random_parts(seed, lengths, n_labels)
    usual, span_scorer.BLOCK_SCORES = span_scorer.BLOCK_SCORES, block
    try:
        found = {}
        for first, scores, valid in blocks(parts, max_length):
            for text, row, column in valid.nonzero().tolist():
                for label in range(n_labels):
                    place = (text, label, first + row, first + column)
                    assert place not in found
                    found[place] = float(scores[text, label, row, column])
    finally:
        span_scorer.BLOCK_SCORES = usual
    every = spans_of(lengths, n_labels, max_length)
    assert sorted(found) == sorted(every)
    expected = span_scores(parts, torch.tensor(every)).tolist()
    assert [found[place] for place in every] == pytest.approx(expected)


def test_scores_depend_on_the_distance_of_two_tokens():
    """Else a span of two tokens and one of fifty would be alike."""
    vectors = torch.randn(1, 1, WIDTH).double().expand(1, 9, WIDTH)
    parts = SpanParts(vectors, vectors, *[torch.zeros(1, 9, 1).double()] * 2, torch.ones(1, 9) > 0)
    turned = rotated(parts)
    ((_, scores, _),) = blocks(turned, None)
    torch.testing.assert_close(scores[0, 0, 0, 2], scores[0, 0, 5, 7])
    assert abs(scores[0, 0, 0, 2] - scores[0, 0, 0, 3]) > 1e-6
    torch.testing.assert_close(scores[0, 0, 0, 0], (vectors[0, 0] ** 2).sum() / math.sqrt(WIDTH))
