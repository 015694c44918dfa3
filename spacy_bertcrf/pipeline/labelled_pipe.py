"""The labels of a component, and the model that is built for them and grows with them."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from spacy.errors import Errors
from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.training import Example, validate_get_examples
from spacy.vocab import Vocab

from spacy_bertcrf.models.current_training import current_training
from spacy_bertcrf.models.types import CRFTaggerModel
from spacy_bertcrf.pipeline.annotations import UnknownLabelError
from spacy_bertcrf.pipeline.gold import Gold
from spacy_bertcrf.pipeline.survey import Survey, survey
from spacy_bertcrf.pipeline.training_checks import (
    check_spans_to_judge_by,
    check_training,
    warn_of_few_steps,
)
from spacy_bertcrf.pipeline.training_labels import (
    labels_of_config,
    labels_of_corpus,
    unknown_label_advice,
)
from spacy_bertcrf.pipeline.unknown_texts import warn_of_unknown_texts
from spacy_bertcrf.pipeline.upstream import update_upstream_in_place
from spacy_bertcrf.tagging import TagSet

SAMPLE_SIZE = 10  # Docs that the model is built with


class LabelledPipe(TrainablePipe):
    """A trainable component whose model scores spans with its labels.

    cfg: what else is saved with the component.

    gold: where its gold spans are.
    """

    gold: Gold

    def __init__(self, vocab: Vocab, model: CRFTaggerModel, name: str, **cfg: Any):
        super().__init__(vocab, model, name, labels=[], **cfg)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order that the model has them in."""
        return tuple(self.cfg["labels"])

    @property
    def label_data(self) -> list[str]:
        """What `initialize` takes as `labels`, and `spacy init labels` writes."""
        return list(self.cfg["labels"])

    @property
    def is_initialized(self) -> bool:
        """Whether the model has its weights."""
        return self.model.has_dim("nO") is True

    def knows_labels_of(self, example: Example) -> bool:
        """Whether it has the labels of all gold spans of the example."""
        spans = self.gold.of_doc(example.reference) or ()
        return set(self.labels).issuperset(span.label_ for span in spans)

    def add_label(self, label: str) -> int:
        """Add an entity label.

        If the component is initialized, its model grows: what it has learned stays, scores of
        the other labels included, and the new label is predicted only after it is learned.

        Returns 1, or 0 if the component has the label. Raises ValueError for anything but a
        string that is not empty.
        """
        if not isinstance(label, str):
            raise ValueError(Errors.E187)
        return self._add_labels([label])

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        """Take the labels and build the model, or let a trained model grow by the labels that are
        new to it.

        get_examples: gives the training examples.
        nlp: the pipeline.
        labels: the labels, if they are known (from `spacy init labels`); otherwise they are
            all those of the examples, sorted.

        Raises ValueError if there are no labels or no tokens, if `labels` is no list of them, as
        in the file of another component, and if labels that a trained model has are missing from
        `labels`. Warns once, with the count, if entities of the examples do not fit the tokens,
        and once if more than a fifth of the wordpieces of the first thousand texts are unknown to
        the BERT.
        """
        validate_get_examples(get_examples, f"{type(self).__name__}.initialize")
        _check_labels(labels, self.name)
        corpus_labels, texts, groups = self._survey(get_examples())
        if self.is_initialized and labels is not None:
            self._refuse_to_shrink(labels)
        self._add_labels(corpus_labels if labels is None else labels)
        if not texts and not self.is_initialized:
            raise ValueError(
                f"'{self.name}' got no example with a token. The training corpus is empty, or its "
                "reader leaves everything out: one with a max_length takes of longer texts only "
                "sentences, where their boundaries are set. Check its path, and set max_length = 0."
            )
        if not self.labels:
            raise ValueError(
                f"The examples have no entities, so '{self.name}' has no labels to learn. Check "
                f"that {self.gold.place} is set in the training corpus, and that its reader's "
                "max_length leaves out none of it, or give 'labels'."
                + _advice_for_groups(groups, self.gold)
            )
        is_new = not self.is_initialized
        if is_new:
            self.model.initialize(X=texts[:SAMPLE_SIZE], Y=self._scored())
        if nlp is not None:
            _INITIALIZED.setdefault(nlp, WeakKeyDictionary())[self] = is_new
            update_upstream_in_place(nlp)
        warn_of_unknown_texts(self.name, self.model, texts, nlp)

    def join_training(self) -> None:
        """Be part of the training that is going on, if there is one. A component that was
        initialized for it is already; one with `source` learns here of the pipeline, and of
        labels that are new to it: those that `[initialize.components]` of the config gives, or
        else those of the training corpus.

        Warns of the labels that are added, and of what would make the training or its scores
        worthless without an error. Raises ValueError if labels that the component has are
        missing from those of the config.
        """
        nlp = current_training()
        if nlp is None or self in _JOINED.setdefault(nlp, WeakSet()):
            return
        _JOINED[nlp].add(self)
        name = next((name for name, pipe in nlp.components if pipe is self), None)
        if name is None:
            return
        if self not in _INITIALIZED.get(nlp, ()):
            update_upstream_in_place(nlp)
            self._grow_for(nlp, name)
        elif _INITIALIZED[nlp][self]:
            warn_of_few_steps(nlp, name)
        check_training()
        check_spans_to_judge_by(nlp, name, self.labels, self.gold)

    def _scored(self) -> Any:
        """What the model is initialized with as Y: the labels, or what is made of them."""
        raise NotImplementedError

    def _grow(self, labels: Sequence[str]) -> None:
        """Let the model have these labels: those that it has, and then more."""
        raise NotImplementedError

    def _survey(self, examples: Iterable[Example]) -> Survey:
        return survey(examples, self.name, self.gold)

    def _grow_for(self, nlp: Language, name: str) -> None:
        old, labels = self.labels, labels_of_config(nlp, name)
        _check_labels(labels, name)
        if labels is not None:
            self._refuse_to_shrink(labels)
        self._add_labels(labels_of_corpus(nlp, name, self.gold) if labels is None else labels)
        if labels is None and len(self.labels) > len(old):
            added = self.labels[len(old) :]
            warnings.warn(
                f"'{name}' comes from another pipeline and did not know {len(added)} of the "
                f"training corpus' labels, so it grows by them: {', '.join(added)}. To choose the "
                f"labels, give all as `labels` in [initialize.components.{name}].",
                stacklevel=2,
            )

    @contextmanager
    def advice_for_unknown_labels(self) -> Iterator[None]:
        """Let an error about a label that the component does not know say what to do."""
        try:
            yield
        except UnknownLabelError as error:
            raise ValueError(f"{error} {unknown_label_advice(self.name)}") from error

    def _add_labels(self, labels: Iterable[str]) -> int:
        old = self.labels
        added = [label for label in labels if label not in old]
        if not added:
            return 0
        TagSet([*old, *added])
        if self.is_initialized:
            self._grow([*old, *added])
        self.cfg["labels"] = [*old, *added]
        for label in added:
            self.vocab.strings.add(label)
        return len(added)

    def _refuse_to_shrink(self, labels: Sequence[str]) -> None:
        lost = [label for label in self.labels if label not in labels]
        if lost:
            raise ValueError(
                f"'{self.name}' is trained for the labels {', '.join(self.labels)}, and "
                f"{', '.join(lost)} would be lost. Give these labels too, or begin with a new "
                "component."
            )

    def _require_initialized(self) -> None:
        if not self.is_initialized:
            raise ValueError(Errors.E109.format(name=self.name))


def _check_labels(labels: Any, name: str) -> None:
    if isinstance(labels, str | Mapping):
        raise ValueError(
            f"The labels for '{name}' are of the kind {type(labels).__name__}, and not a list of "
            "texts. Those of spaCy's ner are a mapping; `spacy init labels` writes those of "
            f"'{name}'."
        )


def _advice_for_groups(groups: Sequence[str], gold: Gold) -> str:
    others = [group for group in groups if f"'{group}'" not in gold.place]
    if not others:
        return ""
    named = ", ".join(f"doc.spans['{group}']" for group in others)
    return f" There are {named}: the component bertcrf_spans learns them (its spans_key)."


# By pipeline, the components that its `initialize` has prepared, with whether they were new, and
# those that have joined its training.
_INITIALIZED: WeakKeyDictionary[Language, WeakKeyDictionary[LabelledPipe, bool]] = (
    WeakKeyDictionary()
)
_JOINED: WeakKeyDictionary[Language, WeakSet[LabelledPipe]] = WeakKeyDictionary()
