"""Documents of INCEpTION and WebAnno."""

import pytest

from spacy_bertcrf.corpora.formats.inception import NO_ENTITIES

TEXT = "👍 Anna lives in Bonn"
ENTITIES = [{"begin": 3, "end": 7, "value": "PER"}, {"begin": 17, "end": 21, "value": "LOC"}]
LAYER = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"
TOKEN = {"begin": 0, "end": 2}


def new(entities, *others):
    sofa = {"%ID": 1, "%TYPE": "uima.cas.Sofa", "sofaString": TEXT}
    found = [{"%TYPE": LAYER, "@sofa": 1, **one} for one in entities]
    return {"%TYPES": {}, "%FEATURE_STRUCTURES": [sofa, *found, *others]}


def old(entities, *others):
    view = {"Token": [TOKEN], "NamedEntity": entities, "Sentence": [{"end": 21}]}
    sofa = {"_type": "Sofa", "sofaString": TEXT}
    return {"_context": {}, "_views": {"_InitialView": view}, "_referenced_fss": {"1": sofa}}


@pytest.mark.parametrize("make", [new, old])
def test_named_entities_of_a_document(read, make):
    """Else each token and sentence is an entity, or all after an emoji lie elsewhere."""
    export = read(make(ENTITIES), indent=1)
    assert export.format == "inception"
    assert export.entities == [[("Anna", "PER"), ("Bonn", "LOC")]]
    assert export.problems == []
    assert read(make([])).annotated == [True]


def test_what_is_left_out(read):
    """Else an entity without a label, at the very beginning, or another layer is lost silently."""
    first = [{"end": 2, "value": "X"}, {"begin": 3, "end": 7}]
    export = read(new(first, {"%TYPE": "webanno.custom.Relation", "begin": 3, "end": 7}))
    assert export.entities == [[("👍", "X")]]
    assert export.problems == [("entity that cannot be read", 1)]
    assert export.notes["Other layers, left out"] == "1"
    assert read(new(first[1:]), label="PER").entities == [[("Anna", "PER")]]
    assert read({"%FEATURE_STRUCTURES": []}).problems == [("line that cannot be read", 1)]


@pytest.mark.parametrize("make", [new, old])
def test_a_layer_of_ones_own(read, make):
    """Else a project whose entities are in a custom layer teaches that there are none."""
    custom = {"%TYPE": "webanno.custom.Person", "_type": "Person", "begin": 3, "end": 7}
    value = make([])
    if make is new:
        value["%FEATURE_STRUCTURES"].append(custom)
    else:
        value["_referenced_fss"]["2"] = custom
    export = read(value)
    assert export.annotated == [False]
    assert export.problems == [(NO_ENTITIES, 1)]
