"""The settings of a training that follow from a corpus, a BERT and a machine, each with its reason.

The sequence layer, the batches, the steps and the unfreezing of small corpora are from trainings
on 300 to 3,000 sentences of CLUENER2020 and CoNLL-2003 with BERTs of 4 and 6 layers, and those of
large ones from all of CLUENER2020 (docs/results.md). Where between a sequence layer begins to pay
was not measured, nor were the rates of larger BERTs, which are common use.
"""

import math
from typing import Any, NamedTuple

from spacy_bertcrf.training.recipes.corpus_survey import CorpusSurvey
from spacy_bertcrf.training.recipes.machine import BertSize

LEAST_STEPS = 600
EPOCHS = 4
SMALL_BATCH, LARGE_BATCH = 16, 32  # texts
LEAST_PIECES, MOST_PIECES = 256, 4096
EVALUATIONS = 10
FROZEN = 0.125  # of the steps, until all of BERT learns
SMALL = 5000  # texts; 3,000 were measured, and all of CLUENER2020's 10,748
# By the width of the BERT, at least so wide.
RATES = {1024: 2e-5, 768: 5e-5, 512: 1e-4, 0: 3e-4}
DEEP = 6  # layers; a narrow BERT that is as deep takes a rate as one of 512 does


class Choice(NamedTuple):
    """One setting, or block of settings, of a config.

    key: such as "training.batcher.size".
    value: a block is a mapping.
    reason: why, in a sentence or two.
    """

    key: str
    value: Any
    reason: str


class Machine(NamedTuple):
    """gpu: whether the training runs on one. bfloat16: whether the CPU computes in it itself."""

    gpu: bool
    bfloat16: bool


def choose(train: CorpusSurvey, bert: BertSize, machine: Machine) -> list[Choice]:
    """The settings that depend on these.

    Raises ValueError for a corpus without a text or without an entity.
    """
    if not train.n_texts:
        raise ValueError("The training corpus has no text with a token: there is nothing to learn.")
    if not train.n_entities:
        raise ValueError(
            f"The {train.n_texts:,} texts of the training corpus have no entity: there is nothing "
            "to learn. Check that doc.ents is set in it (`python -m spacy bertcrf convert` says "
            "what it found). Of spans in doc.spans learns bertcrf_spans (configs/bert_spans.cfg), "
            "of categories in doc.cats textcat (configs/bert_classifier.cfg): take these configs."
        )
    size = _batch_size(train)
    by_epoch = math.ceil(train.pieces.sum() / size.value)
    epochs = max(EPOCHS, math.ceil(LEAST_STEPS / by_epoch))
    return [
        *_hardware(machine),
        _sequence_layer(train),
        size,
        *_length(by_epoch, epochs),
        *_unfreezing(train, bert, epochs * by_epoch),
        _rate(bert),
    ]


def _hardware(machine: Machine) -> list[Choice]:
    precision = "components.bertcrf.model.tok2vec.mixed_precision"
    if machine.gpu:
        return [
            Choice("system.gpu_allocator", "pytorch", "torch keeps the GPU's memory."),
            Choice(precision, True, "A GPU computes in half precision twice as fast or more."),
        ]
    reason = "computes in bfloat16 itself" if machine.bfloat16 else "does not compute in bfloat16"
    return [
        Choice(
            "system.gpu_allocator", None, "There is no GPU; with one, make the config by --gpu."
        ),
        Choice(precision, machine.bfloat16, f"This CPU {reason}; on another, change it."),
    ]


def _sequence_layer(train: CorpusSurvey) -> Choice:
    key = "components.bertcrf.model.encoder"
    if train.n_texts < SMALL:
        return Choice(
            key,
            {"@layers": "spacy-bertcrf.Identity.v1"},
            f"From {train.n_texts:,} texts a sequence layer learns too little to be of use.",
        )
    block = {"@layers": "spacy-bertcrf.ResidualBiLSTM.v1", "hidden_width": 256}
    return Choice(key, block, f"{train.n_texts:,} texts are enough for a sequence layer.")


def _batch_size(train: CorpusSurvey) -> Choice:
    mean = float(train.pieces.mean())
    is_small = train.n_texts < SMALL
    n_texts = SMALL_BATCH if is_small else LARGE_BATCH
    size = min(MOST_PIECES, max(LEAST_PIECES, _rounded(n_texts * mean)))
    return Choice(
        "training.batcher.size",
        size,
        f"Texts have {mean:.0f} wordpieces in the mean, {train.pieces.max():,} at most: a batch is "
        f"about {max(1, round(size / mean))} of them"
        f"{', for a small corpus needs many steps' if is_small else ''}.",
    )


def _rounded(number: float) -> int:
    """To two digits."""
    unit = 10 ** max(0, math.floor(math.log10(number)) - 1)
    return round(number / unit) * unit


def _length(by_epoch: int, epochs: int) -> list[Choice]:
    n_steps = epochs * by_epoch
    reason = f"An epoch has about {by_epoch:,} steps, so these are about {n_steps:,}."
    if epochs > EPOCHS:
        reason += f" A small corpus wants {LEAST_STEPS} at least, however few texts there are."
    frequency = max(1, n_steps // EVALUATIONS)
    return [
        Choice("training.max_epochs", epochs, reason),
        Choice("training.max_steps", 0, "The epochs are the limit."),
        Choice("training.eval_frequency", frequency, f"model-best is the best of {EVALUATIONS}."),
    ]


def _unfreezing(train: CorpusSurvey, bert: BertSize, n_steps: int) -> list[Choice]:
    if train.n_texts >= SMALL:
        return []
    every = max(1, round(n_steps * FROZEN / (bert.n_layers + 1)))
    block = {
        "@callbacks": "spacy-bertcrf.gradual_unfreezing.v1",
        "every": every,
        "unit": "steps",
    }
    reason = (
        f"The first steps of untrained layers would spoil BERT: its {bert.n_layers} layers, and "
        f"then its embeddings, join in one by one, all by step {every * (bert.n_layers + 1):,}."
    )
    return [Choice("training.before_update", block, reason)]


def _rate(bert: BertSize) -> Choice:
    width = 512 if bert.width < 512 and bert.n_layers >= DEEP else bert.width
    rate = next(rate for least, rate in RATES.items() if width >= least)
    return Choice(
        "training.optimizer.learn_rate.initial_rate",
        rate,
        f"For a BERT of {bert.n_layers} layers, {bert.width} wide: the smaller, the faster. It "
        "rises in the first tenth of the steps and falls to 0 at the last.",
    )
