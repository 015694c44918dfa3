"""`spacy-bertcrf.prepare_classifiers.v1`: what a classifier in `textcat` cannot know by itself."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from spacy.language import Language
from spacy.pipeline import MultiLabel_TextCategorizer, TextCategorizer
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import resolve_dot_names

from spacy_bertcrf.models.classifier.bert_classifier import (
    BALANCED,
    ClassifierSettings,
    classifier_settings,
)
from spacy_bertcrf.models.step_count import random_state_kept
from spacy_bertcrf.pipeline.survey import MAX_TEXTS
from spacy_bertcrf.pipeline.unknown_texts import warn_of_unknown_texts
from spacy_bertcrf.pipeline.upstream import update_together, update_upstream_in_place


def prepare_classifiers() -> Callable[[Language], None]:
    """A callback for `[initialize.after_init]` of pipelines whose `textcat` or
    `textcat_multilabel` has a `spacy-bertcrf.BertClassifier.v1`: spaCy's components tell their
    models nothing of the pipeline.

    It gives the classifiers their class weights, and lets `spacy-bertcrf.AdamW.v1` know of all
    parameters that learn together, as a `bertcrf` does. It warns of labels that only the
    development corpus has, for no classifier can learn them, and of a development corpus that has
    none, which cannot judge.

    The callback raises ValueError for exclusive classes in `textcat_multilabel`, for those that
    are not exclusive in `textcat`, for the weight of a class that there is not, and for balanced
    weights if the training corpus cannot be read.
    """
    return _prepare


def _prepare(nlp: Language) -> None:
    update_upstream_in_place(nlp)
    found = {
        name: settings
        for name, pipe in nlp.components
        if (settings := classifier_settings(getattr(pipe, "model", None))) is not None
    }
    if not found:
        return
    train, dev = (_count(nlp, f"{part}_corpus") for part in ("train", "dev"))
    for name, settings in found.items():
        pipe: Any = nlp.get_pipe(name)
        _check_exclusive(name, pipe, settings)
        update_together(nlp, name)
        if train is not None:
            warn_of_unknown_texts(name, pipe.model, train.texts, nlp)
        if settings.class_weights is not None:
            pipe.model.attrs["label_weights"] = _weights(name, pipe.labels, settings, train)
    if train is not None and dev is not None:
        _report_unlearnable(train, dev)
    if dev is not None and not dev.n_docs:
        warnings.warn(
            "The development corpus has no document with categories, so every score is the same "
            "from the first to the last step, and model-best is no better than any other. Check "
            "its path, and that doc.cats is set in it.",
            stacklevel=2,
        )


def _check_exclusive(name: str, pipe: Any, settings: ClassifierSettings) -> None:
    if not isinstance(pipe, TextCategorizer):
        return
    is_multilabel = isinstance(pipe, MultiLabel_TextCategorizer)
    if is_multilabel == settings.exclusive_classes:
        factory, needed = ("textcat_multilabel", "false") if is_multilabel else ("textcat", "true")
        other = "textcat" if is_multilabel else "textcat_multilabel"
        raise ValueError(
            f"'{name}' is a {factory}, and its model has exclusive_classes = "
            f"{str(settings.exclusive_classes).lower()}. Set exclusive_classes = {needed} in "
            f'[components.{name}.model], or factory = "{other}" in [components.{name}].'
        )


class _Counts:
    """How many Docs have each category, and how many have any annotation of categories; the
    first of the Docs."""

    def __init__(self, examples: Iterable[Example]) -> None:
        self.n_docs = 0
        self.by_label: Counter[str] = Counter()
        self.texts: list[Doc] = []
        for example in examples:
            if len(self.texts) < MAX_TEXTS:
                self.texts.append(example.predicted)
            cats = example.reference.cats
            self.n_docs += bool(cats)
            self.by_label.update(label for label, value in cats.items() if value > 0)


def _count(nlp: Language, corpus: str) -> _Counts | None:
    """None if there is no such corpus to be read, for a pipeline can be trained from Python; nor
    is one read that is streamed, and may have no end."""
    config = nlp.config.interpolate()
    if config["training"]["max_epochs"] < 0:
        return None
    try:
        (reader,) = resolve_dot_names(config, [config["training"][corpus]])
        with random_state_kept():
            return _Counts(reader(nlp))
    except (OSError, ValueError):
        return None


def _weights(
    component: str, labels: Sequence[str], settings: ClassifierSettings, train: _Counts | None
) -> list[float]:
    asked = settings.class_weights
    if isinstance(asked, Mapping):
        unknown = [label for label in asked if label not in labels]
        if unknown:
            raise ValueError(
                f"class_weights of '{component}' name {', '.join(unknown)}, and its labels are "
                f"{', '.join(labels)}. Name labels of the training corpus."
            )
        return [float(asked.get(label, 1.0)) for label in labels]
    assert asked == BALANCED
    if train is None:
        raise ValueError(
            f"class_weights of '{component}' are to be balanced, and the training corpus cannot be "
            "read, or is streamed. Give it as paths.train, or give the weights by name."
        )
    counts = [train.by_label[label] for label in labels]
    if settings.exclusive_classes:
        return [train.n_docs / (len(labels) * n) if n else 1.0 for n in counts]
    return [(train.n_docs - n) / n if 0 < n < train.n_docs else 1.0 for n in counts]


def _report_unlearnable(train: _Counts, dev: _Counts) -> None:
    missing = {label: n for label, n in dev.by_label.items() if label not in train.by_label}
    if missing:
        named = ", ".join(f"{label} ({n:,} documents)" for label, n in sorted(missing.items()))
        warnings.warn(
            f"The development corpus has labels that no document of the training corpus has: "
            f"{named}. They cannot be learned, and spaCy's scores leave out those that the "
            "component does not know.",
            stacklevel=2,
        )
