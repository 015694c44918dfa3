"""CMeEE's JSON, made by hand, and the corpus itself."""

import pytest

from spacy_bertcrf.corpora.entities import NESTED
from spacy_bertcrf.corpora.reading import read_corpus

TEXT = "头颈部肿瘤患者作化疗"


def span(start, end, label, surface):
    return {"start_idx": start, "end_idx": end, "type": label, "entity": surface}


TUMOUR = span(0, 4, "dis", "头颈部肿瘤")
NECK = span(0, 2, "bod", "头颈部")
THERAPY = span(8, 9, "pro", "化疗")


@pytest.mark.parametrize("as_list", [True, False])
@pytest.mark.parametrize("surface", [True, False])
def test_ends_are_inclusive(read, as_list, surface):
    """Else each entity loses its last character."""
    spans = [{k: v for k, v in s.items() if surface or k != "entity"} for s in (TUMOUR, THERAPY)]
    export = read({"text": TEXT, "entities": spans}, as_list=as_list)
    assert export.format == "cmeee"
    assert export.corpus.lang == "zh"
    assert export.entities == [[("头颈部肿瘤", "dis"), ("化疗", "pro")]]
    assert export.problems == []


def test_nested_entities(read):
    """Else inner entities are lost without a word, or where they could be kept."""
    value = {"text": TEXT, "entities": [TUMOUR, NECK]}
    assert read(value).problems == [(NESTED, 1)]
    export = read(value, spans_key="sc")
    assert export.problems == []
    assert [s.text for s in export.docs[0].spans["sc"]] == ["头颈部", "头颈部肿瘤"]


def test_texts_to_predict(read):
    """Else texts without entities in the file teach that they have none."""
    export = read({"text": TEXT, "entities": [THERAPY]}, {"text": TEXT})
    assert export.annotated == [True, False]


def test_the_corpus_itself(real_data):
    """Else entities of CMeEE are lost or moved."""
    corpus = read_corpus(
        [real_data / "data" / "cmeee" / f"{part}.json" for part in ("train", "dev")], spans_key="sc"
    )
    assert sum(len(doc.spans["sc"]) for doc in corpus.docs) == 22_466
    assert len(corpus.problems) == 0
    assert "inclusive" in "".join(corpus.evidence)
