"""What in a text an entity rests on: integrated gradients of its log probability."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from spacy.tokens import Doc
from thinc.api import Model

from spacy_bertcrf.models.bert.embedded_text import EmbeddedText
from spacy_bertcrf.models.tagger.span_likelihood import SpanLikelihood
from spacy_bertcrf.pipeline.posterior import Posterior
from spacy_bertcrf.tagging import EntitySpan

GAP = 0.01  # of the difference of log probability, as a share of it
FEWEST_STEPS = 16
MOST_PIECES = 1024  # wordpieces of all steps that are read at once


@dataclass(frozen=True, eq=False)
class Attributions:
    """How much each token adds to the log probability of an entity, or takes from it, by
    integrated gradients (Sundararajan et al. 2017, https://arxiv.org/abs/1703.01365).

    first: the first token that has a value: 0, unless the text is longer than the encoder reads
        at once. Then the values are those of the windows that hold the entity, which are taken for
        the text.
    values: (n_tokens,) float64, of that token and those after it, in nats.
    log_probability: of the entity in the text.
    baseline: the same where all of the text's wordpieces are [MASK]. The values sum to
        `log_probability - baseline`, but for the gap.
    gap: by how much their sum misses that difference, as a share of it.
    n_steps: of the path from the baseline to the text, at which gradients were taken.
    """

    first: int
    values: np.ndarray
    log_probability: float
    baseline: float
    gap: float
    n_steps: int


def attributions(
    model: Model, posterior: Posterior, doc: Doc, span: EntitySpan, max_steps: int
) -> Attributions | None:
    """What an entity rests on; None if it is impossible.

    model: a CRFTagger on a BertEncoder.
    posterior: that of the Doc alone.
    max_steps: steps are doubled from 16 on until the gap is at most 1 %, or until they are so many.

    Raises ImportError, with the extra, if captum is not installed, and NotByEmbeddings if the
    encoder does not read wordpieces by their embeddings alone.
    """
    gradients = _integrated_gradients()
    text = EmbeddedText(model.get_ref("tok2vec"), doc, span.start, span.end)
    tokens, readings, allowed = posterior.readings_with(span, text.tokens)
    if not readings:
        return None
    likelihood = SpanLikelihood(
        model.get_ref("sequence_tagger"),
        model.get_ref("crf"),
        readings,
        allowed,
        posterior.temperature,
    )
    inside = slice(tokens.start - text.tokens.start, tokens.stop - text.tokens.start)

    def log_probability(embeddings: torch.Tensor) -> torch.Tensor:
        return likelihood(text.vectors(embeddings)[:, inside])

    with torch.no_grad():
        ends = log_probability(torch.cat([text.embeddings, text.baseline]))
    reached, baseline = ends.tolist()
    if not np.isfinite([reached, baseline]).all():
        return None
    best = None
    n_steps = min(FEWEST_STEPS, max_steps)
    while True:
        of_pieces = gradients(log_probability, text.embeddings, text.baseline, n_steps)
        gap = abs(of_pieces.sum() - (reached - baseline)) / max(abs(reached - baseline), 1e-6)
        if best is None or gap < best.gap:
            first, values = text.by_token(of_pieces)
            best = Attributions(first, values, reached, baseline, float(gap), n_steps)
        if gap <= GAP or 2 * n_steps > max_steps:
            return best
        n_steps *= 2


def _integrated_gradients() -> Callable[..., np.ndarray]:
    try:
        from captum.attr import IntegratedGradients
    except ImportError as error:
        raise ImportError(
            "What an entity rests on is found by captum. Install it: "
            "pip install 'spacy-bertcrf[explain]'; or ask for the rest alone, with "
            "attributions=False."
        ) from error

    def of_pieces(
        function: Callable, embeddings: torch.Tensor, baseline: torch.Tensor, n_steps: int
    ) -> np.ndarray:
        found: torch.Tensor = IntegratedGradients(function).attribute(
            embeddings,
            baseline,
            n_steps=n_steps,
            method="gausslegendre",
            internal_batch_size=max(1, MOST_PIECES // embeddings.shape[1]),
        )
        summed: np.ndarray = found[0].double().sum(1).detach().cpu().numpy()
        return summed

    return of_pieces
