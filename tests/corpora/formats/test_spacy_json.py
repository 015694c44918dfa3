"""spaCy v2's JSON, made by hand and by spaCy itself."""

import spacy
from spacy.training import docs_to_json

from spacy_bertcrf.corpora.formats.spacy_json import OTHER_RAW
from spacy_bertcrf.corpora.json_values import BAD_LINE


def document(*sentences, **more):
    made = [
        {"tokens": [{"id": i, "orth": w, "ner": t} for i, (w, t) in enumerate(sentence)]}
        for sentence in sentences
    ]
    return {"id": 0, "paragraphs": [{"sentences": made, **more}]}


ANNA = [("Anna", "B-PER"), ("Li", "L-PER"), ("came", "O"), (".", "O")]
BOB = [("Bob", "U-PER"), ("too", "-"), (".", "O")]


def test_sentences_of_tokens(read):
    """Else a treebank in spaCy's own format cannot be read by a spaCy plugin."""
    export = read(document(ANNA, BOB), document(BOB), as_list=True, indent=1)
    assert export.format == "spacy-json"
    assert export.entities == [[("Anna Li", "PER"), ("Bob", "PER")], [("Bob", "PER")]]
    assert export.unknown == [["too"], ["too"]]
    assert [token.text for token in export.docs[0] if token.is_sent_start] == ["Anna", "Bob"]
    assert export.problems == []


def test_quotes_and_brackets_of_treebanks(read):
    """Else the text has `` for quotes, which no text to predict has, or is parted wrongly."""
    words = ["``", "Anna", "''", "-LRB-", "she", "-RRB-", "came", "."]
    sentence = [(word, "U-PER" if word == "Anna" else "O") for word in words]
    export = read(document(sentence, raw='"Anna" (she) came.'))
    assert export.docs[0].text == '"Anna" (she) came.'
    assert export.entities == [[("Anna", "PER")]]
    assert export.problems == []
    assert read(document(sentence, raw="Something else")).problems == [(OTHER_RAW, 1)]


def test_what_spacy_writes(read):
    """Else its `docs_to_json` is read as something else than it wrote."""
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    doc = nlp("Anna Li met Bob in Bonn.")
    doc.ents = [doc.char_span(0, 7, "PER"), doc.char_span(12, 15, "PER")]
    doc.cats = {"good": 1.0}
    export = read(docs_to_json([doc]))
    assert export.docs[0].text == doc.text
    assert export.entities == [[("Anna Li", "PER"), ("Bob", "PER")]]
    assert export.docs[0].cats == doc.cats
    assert export.problems == []


def test_without_tags(read):
    """Else a treebank without entities teaches that there are none."""
    export = read(document([("Anna", None), ("came", "-")]))
    assert export.annotated == [False]


def test_paragraphs_that_are_none(read):
    """Else a document is lost without a word."""
    export = read(document(BOB), {"id": 1, "paragraphs": 7}, {"id": 2, "paragraphs": [7]})
    assert len(export.docs) == 1
    assert export.problems == [(BAD_LINE, 2), (BAD_LINE, 3)]
