"""Pipelines that another one learns from."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import spacy
import srsly
import torch
from spacy.attrs import ORTH, SPACY
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import load_config

from spacy_bertcrf.layers.chains import mixture
from spacy_bertcrf.models.distillation.beliefs import Belief, Tags, beliefs, tags_of
from spacy_bertcrf.training.strategies.kept_beliefs import FLOOR, KeptBeliefs

_FACTORIES = ("bertcrf", "bertcrf_spans")
_BYTES = 1 << 20  # of a file, read at a time


class Teacher:
    """A saved pipeline with a component that has a CRF.

    path: its folder, or the name of an installed package.

    It is not loaded before something is asked that its files do not say. Whatever is asked raises
    OSError if there is no such pipeline, and ValueError if it has not just one such component.
    """

    def __init__(self, path: str):
        self.path = path

    @cached_property
    def nlp(self) -> Language:
        """The pipeline."""
        # A new module has random weights before it gets those of the file. What a training draws
        # must not depend on whether, or when, its teacher is needed.
        with torch.random.fork_rng(devices=[]):
            return spacy.load(self.path)

    @property
    def is_loaded(self) -> bool:
        """Whether it was asked for anything that its files do not say."""
        return "nlp" in vars(self)

    @cached_property
    def fingerprint(self) -> str:
        """Of the pipeline's files: another one has another."""
        digest = hashlib.sha256()
        for file in sorted(path for path in self._folder.rglob("*") if path.is_file()):
            digest.update(file.relative_to(self._folder).as_posix().encode() + b"\0")
            with file.open("rb") as opened:
                while part := opened.read(_BYTES):
                    digest.update(part)
        return digest.hexdigest()

    @cached_property
    def component(self) -> Any:
        """The component with the CRF."""
        pipes: list[Any] = [pipe for _, pipe in self.nlp.pipeline]
        found = [
            pipe
            for pipe in pipes
            if getattr(pipe, "is_initialized", False) and pipe.model.has_ref("crf")
        ]
        if len(found) != 1:
            raise ValueError(
                f"The teacher {self.path} has {len(found)} trained components with a CRF (bertcrf, "
                "or bertcrf_spans with the head LabelCRFs); it must have one."
            )
        return found[0]

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The labels that it knows."""
        config = load_config(self._folder / "config.cfg")
        names = [
            name
            for name in config["nlp"]["pipeline"]
            if config["components"][name].get("factory") in _FACTORIES
        ]
        if len(names) == 1 and not self.is_loaded:
            return tuple(srsly.read_json(self._folder / names[0] / "cfg")["labels"])
        return tags_of(self.component.model).labels

    def check_tokens(self, doc: Doc) -> None:
        """Raises ValueError if it would have made other tokens of the Doc's text."""
        own = [token.text for token in self.nlp.make_doc(doc.text)]
        given = [token.text for token in doc]
        if own != given:
            raise ValueError(
                f"The teacher {self.path} makes other tokens of a text than the pipeline that "
                f"learns from it: {own[:20]} and {given[:20]}. Both need the same tokenizer: copy "
                "[nlp.tokenizer] from the teacher's config.cfg."
            )

    def beliefs(
        self, docs: Sequence[Doc], learner: Tags, temperature: float, floor: float
    ) -> list[Belief]:
        """As of `models.distillation.beliefs`, of Docs of another pipeline."""
        read = [
            Doc(
                self.nlp.vocab,
                words=[token.text for token in doc],
                spaces=[bool(token.whitespace_) for token in doc],
            )
            for doc in docs
        ]
        for _, pipe in self.nlp.pipeline:
            if pipe is self.component:
                break
            read = list(pipe.pipe(read)) if hasattr(pipe, "pipe") else [pipe(doc) for doc in read]
        try:
            return beliefs(self.component.model, read, learner, temperature, floor)
        except ValueError as error:
            raise ValueError(f"{self.path}: {error}") from error

    @property
    def _folder(self) -> Path:
        if Path(self.path).is_dir():
            return Path(self.path)
        assert self.nlp.path is not None
        return self.nlp.path

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path}


class Teachers:
    """What some teachers believe of texts, as a mixture: the mean of all.

    paths: theirs.
    temperature: what their scores are divided by.
    kept_in: the file that keeps what they believe; None to ask them each time.
    """

    def __init__(self, paths: Sequence[str], temperature: float, kept_in: Path | None):
        self.members = [Teacher(path) for path in paths]
        self.temperature = temperature
        self.kept = None if kept_in is None else KeptBeliefs(kept_in)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that they know. Raises ValueError if they do not know the same."""
        first = self.members[0]
        for other in self.members[1:]:
            if set(other.labels) != set(first.labels):
                raise ValueError(
                    f"Teachers must have the same labels: {first.path} has "
                    f"{', '.join(first.labels)}, {other.path} {', '.join(other.labels)}."
                )
        return first.labels

    @property
    def fingerprint(self) -> str:
        """Of all of them and the temperature."""
        return "+".join([*(m.fingerprint for m in self.members), str(self.temperature)])

    def beliefs(self, docs: Sequence[Doc], learner: Tags) -> list[Belief]:
        """Of some texts; those that are kept are not asked for, and new ones are kept."""
        keys = [self._key(doc, learner) for doc in docs]
        found = {} if self.kept is None else self.kept.find(keys)
        missing = {k: doc for k, doc in zip(keys, docs, strict=True) if k not in found}
        if missing:
            asked = dict(zip(missing, self._asked(list(missing.values()), learner), strict=True))
            if self.kept is not None:
                # As it is kept, rounded, so that no training knows more than its repetition.
                self.kept.keep(asked)
                asked = self.kept.find(asked)
            found.update(asked)
        return [found[key] for key in keys]

    def has(self, docs: Sequence[Doc], learner: Tags) -> list[bool]:
        """Whether what is believed of each of some texts is kept."""
        keys = [self._key(doc, learner) for doc in docs]
        found = {} if self.kept is None else self.kept.find(keys)
        return [key in found for key in keys]

    def _asked(self, docs: list[Doc], learner: Tags) -> list[Belief]:
        floor = 0.0 if self.kept is None else FLOOR
        _ = self.labels
        by_member = [m.beliefs(docs, learner, self.temperature, floor) for m in self.members]
        return [
            [
                mixture(chains) if (chains := [c for c in same if c is not None]) else None
                for same in zip(*of_doc, strict=True)
            ]
            for of_doc in zip(*by_member, strict=True)
        ]

    def _key(self, doc: Doc, learner: Tags) -> bytes:
        digest = hashlib.blake2b(digest_size=16)
        for part in (self.fingerprint, *learner.labels, str(learner.scheme)):
            digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
        digest.update(doc.to_array([ORTH, SPACY]).tobytes())
        return digest.digest()
