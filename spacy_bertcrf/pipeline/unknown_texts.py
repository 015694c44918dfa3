"""The warning before a training whose texts its BERT cannot read."""

from collections.abc import Iterator, Sequence
from typing import Any
from weakref import WeakSet

from spacy.language import Language
from spacy.tokens import Doc
from spacy.ty import ListenedToComponent
from thinc.api import Model

from spacy_bertcrf.models.bert.bert_shim import BertShim
from spacy_bertcrf.models.bert.unknown_wordpieces import warn_of_unknown

_TOLD: WeakSet[BertShim] = WeakSet()


def warn_of_unknown_texts(
    name: str, model: Model, texts: Sequence[Doc], nlp: Language | None
) -> None:
    """Warn if a BertEncoder knows too little of the first training texts, once for each: that of
    a component's own model, or those of the components of the pipeline that others listen to."""
    found = [(name, shim) for shim in _berts(model)]
    if nlp is not None and not found:
        shared: list[tuple[str, Any]] = [
            item for item in nlp.components if isinstance(item[1], ListenedToComponent)
        ]
        found = [(upstream, shim) for upstream, pipe in shared for shim in _berts(pipe.model)]
    for component, shim in found:
        if shim not in _TOLD:
            _TOLD.add(shim)
            warn_of_unknown(shim, texts, component)


def _berts(model: Model) -> Iterator[BertShim]:
    shims = (shim for node in model.walk() for shim in node.shims)
    # One without a config has no tokenizer yet.
    return (shim for shim in shims if isinstance(shim, BertShim) and shim.cfg)
