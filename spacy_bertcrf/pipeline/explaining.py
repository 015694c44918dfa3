"""How a recogniser explains an entity."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Model

from spacy_bertcrf.models.bert.bert_encoder import is_bert_encoder
from spacy_bertcrf.models.bert.embedded_text import NotByEmbeddings
from spacy_bertcrf.models.bridge.torch_shim import torch_shim
from spacy_bertcrf.pipeline.annotations import entity_spans
from spacy_bertcrf.pipeline.attribution import Attributions, attributions
from spacy_bertcrf.pipeline.gold import Gold
from spacy_bertcrf.pipeline.length_batches import batches_by_length
from spacy_bertcrf.pipeline.mentions import Mention, Mentions
from spacy_bertcrf.pipeline.posterior import Posterior
from spacy_bertcrf.tagging import EntitySpan

NO_BERT = (
    "What it rests on is known of a spacy-bertcrf.BertEncoder.v1 inside of the component alone; "
    "this tok2vec is another"
)
QUANTISED = "What it rests on needs gradients, which layers that are quantised do not have"
IMPOSSIBLE = (
    "It is impossible, whatever the text: it starts or ends with a space, crosses a sentence "
    "break, or does not go together with the entities that are given"
)


def what_it_rests_on(
    model: Model, posterior: Posterior, doc: Doc, span: EntitySpan, max_steps: int
) -> tuple[Attributions | None, str]:
    """The attributions of an entity, or why there are none.

    The arguments are those of `attributions`.
    """
    tok2vec = model.get_ref("tok2vec")
    if not is_bert_encoder(tok2vec):
        return None, NO_BERT
    if torch_shim(tok2vec).packed or torch_shim(model.get_ref("sequence_tagger")).packed:
        return None, QUANTISED
    try:
        found = attributions(model, posterior, doc, span, max_steps)
    except NotByEmbeddings as error:
        return None, str(error)
    return found, "" if found is not None else IMPOSSIBLE


def read_mentions(
    texts: Iterable[Doc | Example],
    gold: Gold,
    vectors_of: Callable[[Sequence[Doc]], list[np.ndarray]],
    max_tokens: int,
) -> Mentions:
    """The gold entities of a corpus with their vectors.

    gold: where they are.
    vectors_of: gives Docs (n_tokens, width) each.
    max_tokens: of a batch, with padding.

    Raises ValueError if there are none.
    """
    docs: list[Doc] = []
    entities: list[list[EntitySpan]] = []
    for doc, spans in _gold_entities(texts, gold):
        if spans:
            docs.append(doc)
            entities.append(spans)
    if not docs:
        raise ValueError(f"The corpus has no entity: {gold.place} is empty, or not set.")
    means: list[np.ndarray] = [np.zeros(0)] * len(docs)
    for batch in batches_by_length(docs, max_tokens):
        for i, vectors in zip(batch, vectors_of([docs[i] for i in batch]), strict=True):
            means[i] = np.stack([vectors[s.start : s.end].mean(axis=0) for s in entities[i]])
    mentions = [
        mention_of(doc, span) for doc, spans in zip(docs, entities, strict=True) for span in spans
    ]
    return Mentions(mentions, np.concatenate(means))


def mention_of(doc: Doc, span: EntitySpan) -> Mention:
    """A span of a Doc as a mention."""
    found = doc[span.start : span.end]
    return Mention(doc.text, found.start_char, found.end_char, span.label)


def _gold_entities(
    texts: Iterable[Doc | Example], gold: Gold
) -> Iterator[tuple[Doc, list[EntitySpan]]]:
    for text in texts:
        if isinstance(text, Example):
            yield text.predicted, list(gold.of_example(text).spans)
        else:
            yield text, entity_spans(gold.of_doc(text) or ())
