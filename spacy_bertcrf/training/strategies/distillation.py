"""Learning from what other pipelines believe."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from spacy.tokens import Doc
from thinc.api import Optimizer
from torch import Tensor

from spacy_bertcrf.models.current_training import current_training
from spacy_bertcrf.models.distillation.beliefs import Belief, tags_of
from spacy_bertcrf.models.distillation.divergence import divergence
from spacy_bertcrf.models.resumable import NotResumableError, State
from spacy_bertcrf.models.strategy import ScoredBatch, Strategy
from spacy_bertcrf.training.strategies.loss_weights import LossWeight
from spacy_bertcrf.training.strategies.teachers import Teachers

_COMPARED = 100  # texts whose tokens are compared with the teacher's


class Distillation(Strategy):
    """Structural knowledge distillation (Wang et al. 2021, https://arxiv.org/abs/2010.05010): the
    loss has weight · KL(teacher ‖ component), the divergence of their distributions over whole
    tag sequences. It is exact, by expected counts of tags and transitions: no sum over tokens and
    none over k best sequences.

    It learns so from annotated text and from raw text alike: Docs in which no token has an
    annotation teach the CRF nothing, and are what the teacher knows beyond the annotated ones.
    Schemes (BIO, BIOES) and orders of labels may differ, as may all that reads the tokens, which
    must be the same. Labels that the teacher does not know are summed out, as
    `models.distillation.divergence` says; labels that only the teacher knows are an error.

    teacher: the folder of a pipeline, or several: of these, the mean (their mixture).
    weight: a number, or a schedule over the optimizer's steps.
    likelihood: what the CRF's own loss on annotated text is multiplied by.
    temperature: what all scores of both are divided by here; the loss is multiplied by its
        square.
    annotated: whether the teacher is asked for annotated text too.
    kept_in: the file that keeps what the teacher says of each text (probabilities up to 1e-4 are
        left out, the rest is rounded to 16 bits), so that another training or another epoch does
        not ask again; None to ask each time.
    samples: drawn for each text where the component has labels that the teacher does not know.

    Raises ValueError if no teacher is named, and if a number is negative or the temperature or
    the number of samples is not positive. The teacher is loaded when the training begins: a saved
    pipeline needs it no more.
    """

    kind = "teacher"
    has_loss = True

    def __init__(
        self,
        teacher: str | Path | list[str],
        weight: float | Iterator[float] = 1.0,
        likelihood: float = 1.0,
        temperature: float = 1.0,
        annotated: bool = True,
        kept_in: str | Path | None = None,
        samples: int = 1,
    ):
        paths = [str(teacher)] if isinstance(teacher, str | Path) else list(teacher)
        if not paths:
            raise ValueError("Distillation needs at least one teacher: the folder of a pipeline.")
        if likelihood < 0:
            raise ValueError(f"likelihood is {likelihood}; it must not be negative.")
        if not temperature > 0:
            raise ValueError(f"temperature is {temperature}; it must be positive.")
        if samples < 1:
            raise ValueError(f"samples is {samples}; it must be at least 1.")
        self.weight = LossWeight(weight)
        self.likelihood = likelihood
        self.annotated = annotated
        self.samples = samples
        self.teachers = Teachers(paths, temperature, None if kept_in is None else Path(kept_in))
        self._n_batches = 0
        self._n_compared = 0

    def loss(self, batch: ScoredBatch) -> Tensor | None:
        if not self.weight.value:
            return None
        learner = tags_of(batch.model)
        docs = batch.docs if self.annotated else _raw_texts(batch)
        asked = dict(zip(map(id, docs), self.teachers.beliefs(docs, learner), strict=True))
        self._compare_tokens(docs)
        n_chains = len(learner.labels) if learner.scheme is None else 1
        beliefs: list[Belief] = [asked.get(id(doc), [None] * n_chains) for doc in batch.docs]
        beliefs = beliefs * (len(batch.lengths) // (n_chains * len(batch.docs)))
        self._n_batches += 1
        return self.weight.value * divergence(
            batch.crf,
            batch.emissions,
            batch.lengths,
            beliefs,
            learner,
            self.teachers.labels,
            self.teachers.temperature,
            np.random.default_rng(self._n_batches),
            self.samples,
        )

    def factors(self, losses: dict[str, float]) -> dict[str, float]:
        return {"crf": self.likelihood}

    def after_step(self, optimizer: Optimizer) -> None:
        self.weight.step()

    def training_state(self) -> State:
        return {
            "weight": self.weight.training_state(),
            "n_batches": self._n_batches,
            "teacher": self.teachers.fingerprint,
        }

    def restore_training_state(self, state: State) -> None:
        if state["teacher"] != self.teachers.fingerprint:
            paths = ", ".join(member.path for member in self.teachers.members)
            raise NotResumableError(
                f"The teacher in {paths} has other files than when the training began. Put those "
                "back, or begin anew with --overwrite."
            )
        self.weight.restore_training_state(state["weight"])
        self._n_batches = state["n_batches"]

    def _compare_tokens(self, docs: list[Doc]) -> None:
        """The first texts as the two tokenizers make them, where the pipeline is known, and the
        teacher was asked: what is kept is of just these tokens."""
        nlp: Any = current_training()
        asked = [member for member in self.teachers.members if member.is_loaded]
        if nlp is None or not asked or self._n_compared >= _COMPARED:
            return
        for doc in docs:
            for member in asked:
                member.check_tokens(nlp.make_doc(doc.text))
        self._n_compared += len(docs)


def _raw_texts(batch: ScoredBatch) -> list[Doc]:
    """Those of the Docs in which nothing is annotated: of no token but spaces is there one
    fitting tag alone. Where each label has its own CRF, it is the first label's annotation that
    tells."""
    if batch.targets.allowed is None:
        return []
    # All readings of all Docs, label by label where each has its own CRF.
    is_known = batch.targets.allowed.sum(1) == 1
    n_tokens = int(np.sum(batch.lengths))
    assert n_tokens == len(is_known)
    found, end = [], 0
    for doc, length in zip(batch.docs, batch.lengths, strict=False):
        start, end = end, end + int(length)
        of_text = is_known[start:end]
        if not any(known and not token.is_space for known, token in zip(of_text, doc, strict=True)):
            found.append(doc)
    return found
