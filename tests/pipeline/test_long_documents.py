"""Documents far longer than what BERT reads at once."""

import random

import pytest

from spacy_bertcrf.models.bert.bert_shim import bert_shim
from spacy_bertcrf.pipeline import posterior_pipe

SENTENCES = [
    ("王小明在北京大学工作。", [(0, 3, "name"), (4, 8, "organization")]),
    ("李雷和韩梅梅去了上海。", [(0, 2, "name"), (3, 6, "name"), (8, 10, "address")]),
    ("今天天气很好,适合出门。", []),
    ("上海大学的王芳来自广州。", [(0, 4, "organization"), (5, 7, "name"), (9, 11, "address")]),
]


@pytest.mark.slow
def test_no_entity_of_a_hundred_thousand_tokens_is_lost(trained_as):
    """Neither at the edges of BERT's windows, nor because memory runs out: BERT reads no more at
    once than for a short text."""
    nlp = trained_as("bert_bilstm_crf")
    text, expected = _text_of(100_000)
    component = nlp.get_pipe("bertcrf")
    batch_shapes = []
    bert = bert_shim(component.model.get_ref("tok2vec")).module.bert
    hook = bert.register_forward_pre_hook(
        lambda _, args, kwargs: batch_shapes.append(kwargs["input_ids"].shape), with_kwargs=True
    )
    try:
        doc = nlp(text)
    finally:
        hook.remove()
    assert len(doc) >= 100_000
    assert [(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents] == expected
    assert max(rows * width for rows, width in batch_shapes) <= 4096
    # Windows that overlap have more wordpieces together than the text: there were edges.
    assert sum(rows * width for rows, width in batch_shapes) > 1.2 * len(doc)


def _text_of(n_characters):
    rng = random.Random(0)
    text, entities, length = [], [], 0
    while length < n_characters:
        sentence, spans = rng.choice(SENTENCES)
        entities += [(length + start, length + end, label) for start, end, label in spans]
        text.append(sentence)
        length += len(sentence)
    return "".join(text), entities


def test_with_many_tags_fewer_tokens_are_scored_at_once(trained, monkeypatch):
    """Else hundreds of labels would take gigabytes; and what is found stays the same."""
    component = trained.get_pipe("bertcrf")
    docs = [trained.make_doc("王小明在北京大学工作。") for _ in range(20)]
    whole = [list(path.tag_ids) for path in component.predict(docs)]
    sizes = []
    score = component._posterior

    def watched(batch):
        sizes.append(sum(map(len, batch)))
        return score(batch)

    monkeypatch.setattr(component, "_posterior", watched)
    monkeypatch.setattr(posterior_pipe, "MAX_BATCH_SCORES", 40 * len(component.tag_set))
    assert [list(path.tag_ids) for path in component.predict(docs)] == whole
    assert len(sizes) > 1
    assert max(sizes) <= 40
