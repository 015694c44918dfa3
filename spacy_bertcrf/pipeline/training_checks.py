"""What is wrong with a training that would run to its end nevertheless, told before it begins."""

import math
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple
from weakref import WeakSet

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Corpus
from spacy.training.corpus import walk_corpus
from spacy.util import resolve_dot_names

from spacy_bertcrf.models.current_training import current_training
from spacy_bertcrf.models.step_count import random_state_kept, steps_of
from spacy_bertcrf.pipeline.evaluations import restore_frequency, warn_of_few_evaluations
from spacy_bertcrf.pipeline.gold import Gold

STREAMED_TEXTS = 1000
_SPANS_SCORE = re.compile(r"spans_(.+)_[fpr]")
FEW_STEPS = 200  # 32 taught a new component nothing, 340 what 640 did (docs/results.md)


def check_training() -> None:
    """Warn, once for a training that is going on, of too few evaluations, and of readers whose
    max_length leaves out a part of their corpus."""
    nlp = current_training()
    if nlp is None or nlp in _CHECKED:
        return
    _CHECKED.add(nlp)
    warn_of_few_evaluations(nlp)
    restore_frequency(nlp)
    for corpus in ("train_corpus", "dev_corpus"):
        _warn_of_lost_texts(nlp, nlp.config["training"][corpus])


def warn_of_few_steps(nlp: Language, name: str) -> None:
    """Warn if a training is too short for a component that is new."""
    n_steps = steps_of(nlp)
    if n_steps is None or n_steps >= FEW_STEPS:
        return
    epochs, max_steps = (nlp.config["training"][key] for key in ("max_epochs", "max_steps"))
    mend = "Raise training.max_epochs or training.max_steps"
    if epochs > 0 and not max_steps:
        enough = math.ceil(epochs * FEW_STEPS / n_steps)
        mend = f"Set training.max_epochs to {enough:,} or more, or training.batcher.size lower"
    warnings.warn(
        f"The training has {n_steps:,} steps, and so few teach '{name}', which is new, little or "
        f"nothing. {mend}, or let `python -m spacy bertcrf init-config` make a config for the "
        "corpus.",
        stacklevel=3,
    )


def check_spans_to_judge_by(nlp: Language, name: str, labels: Sequence[str], gold: Gold) -> None:
    """Warn if the development corpus of a training cannot judge a component.

    name, labels, gold: of the component.
    """
    config = nlp.config.interpolate()
    weights = config["training"]["score_weights"]
    if not any(weight for key, weight in weights.items() if gold.score in key):
        _warn_of_other_spans(nlp, weights, name, gold.score)
        return
    corpus = config["training"]["dev_corpus"]
    (reader,) = resolve_dot_names(config, [corpus])
    with random_state_kept():
        found = _Found.of((example.reference for example in reader(nlp)), gold)
    if found.by_label.keys() & set(labels):
        unknown = {label: n for label, n in found.by_label.items() if label not in labels}
        if unknown:
            listed = ", ".join(f"{label} ({n:,} entities)" for label, n in sorted(unknown.items()))
            _warn(corpus, f"has labels that '{name}' does not know and cannot find: {listed}.")
        return
    nothing = f"Every score of '{name}' is 0 from the first to the last step, and model-best is "
    nothing += "no better than any other. "
    if not found.n_docs:
        _warn(corpus, f"is empty. {nothing}Check its path and its reader's settings.")
    elif not found.n_annotated:
        _warn(corpus, f"has no entity annotation. {nothing}Check that {gold.place} is set in it.")
    elif not found.by_label:
        _warn(corpus, f"has no entity. {nothing}Take texts for it that have some.")
    else:
        there = ", ".join(sorted(found.by_label))
        _warn(
            corpus,
            f"has none of the labels that '{name}' knows ({', '.join(labels)}), but {there}. "
            f"{nothing}Use the same labels in both corpora.",
        )


def _warn_of_other_spans(
    nlp: Language, weights: Mapping[str, float | None], name: str, score: str
) -> None:
    """Warn of scores that weigh something and are of spans that no component of the pipeline sets:
    they are 0 to the end."""
    keys = {getattr(pipe, part, None) for _, pipe in nlp.pipeline for part in ("spans_key", "key")}
    idle = [
        key
        for key, weight in weights.items()
        if weight and (match := _SPANS_SCORE.fullmatch(key)) and match[1] not in keys
    ]
    if idle and score.startswith("spans_"):
        warnings.warn(
            f"[training.score_weights] has {', '.join(idle)}, of spans that no component sets, so "
            f"that the score is 0 from the first to the last step. '{name}' is judged by "
            f"{score}_f: write {score}_f = 1.0 there.",
            stacklevel=4,
        )


class _Found(NamedTuple):
    """n_docs: that have tokens. n_annotated: of these, that are annotated. by_label: entities."""

    n_docs: int
    n_annotated: int
    by_label: Counter[str]

    @classmethod
    def of(cls, docs: Iterable[Doc], gold: Gold) -> "_Found":
        """The gold spans of reference Docs."""
        n_docs = n_annotated = 0
        by_label: Counter[str] = Counter()
        for doc in docs:
            n_docs += bool(len(doc))
            spans = gold.of_doc(doc)
            n_annotated += spans is not None
            by_label.update(span.label_ for span in spans or ())
        return cls(n_docs, n_annotated, by_label)


def _warn_of_lost_texts(nlp: Language, name: str) -> None:
    config = nlp.config.interpolate()
    (reader,) = resolve_dot_names(config, [name])
    if not isinstance(reader, Corpus) or reader.gold_preproc or not reader.max_length:
        return
    there = kept = 0
    # A corpus that is streamed may be too large to be read once more.
    limit = STREAMED_TEXTS if config["training"]["max_epochs"] < 0 else None
    docs = reader.read_docbin(nlp.vocab, walk_corpus(reader.path, ".spacy"))
    for doc in islice(docs, limit):
        there += len(doc)
        kept += sum(len(example.reference) for example in reader.make_examples(nlp, [doc]))
    if kept < there:
        first = f" of its first {limit:,} texts" if limit else ""
        _warn(
            name,
            f"leaves out {there - kept:,} of the {there:,} tokens{first} ({1 - kept / there:.0%}): "
            f"of texts of max_length = {reader.max_length} tokens or more, only sentences are "
            "taken, where their boundaries are set, and those as long are not. Set max_length = 0: "
            "long texts are read in overlapping windows.",
        )


def _warn(corpus: str, text: str) -> None:
    warnings.warn(f"The corpus [{corpus}] {text}", stacklevel=4)


_CHECKED: WeakSet[Language] = WeakSet()
