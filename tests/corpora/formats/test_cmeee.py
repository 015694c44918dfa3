"""CMeEE's JSON, made by hand, and the corpus itself."""

import json

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


@pytest.mark.slow
def test_every_entity_of_the_real_corpus_is_kept(real_data):
    """Else a fifth of CMeEE, the nested ones, is lost."""
    for split, in_spans, in_ents in [("train", 19_948, 16_448), ("dev", 2_518, 2_076)]:
        path = real_data / "data" / "cmeee" / f"{split}.json"
        export = read_corpus(path, spans_key="sc", lang="zh")
        assert len(export.problems) == 0
        assert "inclusive" in "".join(export.evidence)
        assert sum(len(doc.ents) for doc in export.docs) == in_ents
        found = [
            [(s.start_char, s.end_char, s.label_) for s in doc.spans["sc"]] for doc in export.docs
        ]
        written = [
            sorted((e["start_idx"], e["end_idx"] + 1, e["type"]) for e in text["entities"])
            for text in json.loads(path.read_text(encoding="utf8"))
        ]
        assert [sorted(of) for of in found] == written
        assert sum(map(len, found)) == in_spans
