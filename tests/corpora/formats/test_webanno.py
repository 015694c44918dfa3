"""WebAnno's TSV, made by hand after its manual."""

import pytest

HEAD = """#FORMAT=WebAnno TSV 3.2
#T_SP=de.xy.pos.POS|PosValue
#T_SP=de.xy.ner.type.NamedEntity|identifier|value
#T_RL=de.xy.Dependency|DependencyType|BT_de.xy.pos.POS

"""
TEXT = """
#Text=Anna Lee saw "Bonn|Rhein".
1-1\t0-4\tAnna\tNE\t*[1]\tPER[1]\tsubj\t1-3\t
1-2\t5-8\tLee\tNE\t*[1]|*[2]\tPER[1]|LOC\\_x[2]\tflat\t1-1\t
1-3\t9-12\tsaw\tV\t_\t_\t_\t_\t
1-4\t13-14\t"\t_\t_\t_\t_\t_\t
1-5\t14-24\tBonn|Rhein\tNE\t*\tLOC\t_\t_\t
1-5.1\t14-18\tBonn\t_\t_\t_\t_\t_\t
1-6\t24-25\t"\t_\t_\t_\t_\t_\t
1-7\t25-26\t.\t_\t_\t_\t_\t_\t

#Text=Rain.
2-1\t27-31\tRain\tN\t*\t*\t_\t_\t
2-2\t31-32\t.\t_\t_\t_\t_\t_\t
"""


def test_layers_and_stacked_entities(read):
    """Else the parts of speech are the entities, two of one kind side by side are one, or a stacked
    one is a label with a bar in it."""
    export = read(HEAD + TEXT, name="doc.tsv", spans_key="sc")
    assert export.format == "webanno"
    assert export.entities == [[("Anna Lee", "PER"), ("Bonn|Rhein", "LOC")], []]
    assert ("Lee", "LOC_x") in [(s.text, s.label_) for s in export.docs[0].spans["sc"]]
    assert export.docs[0].text.strip() == 'Anna Lee saw "Bonn|Rhein".'
    assert export.notes["Layer"] == "de.xy.ner.type.NamedEntity, value (column 6)"
    assert export.problems == [("entity without a value", 18)]
    assert export.unknown == [[], ["Rain"]]


def test_which_layer_is_asked_for_where_none_is_named_so(read):
    """Else the first layer of spans is the entities."""
    text = HEAD.replace("ner.type.NamedEntity", "custom.Span").replace("pos.POS", "x.Event") + TEXT
    with pytest.raises(ValueError, match=r"Event, PosValue \(column 4\);.*--tag-column"):
        read(text)
    assert read(text, tag_column=6).entities[0] == [("Anna Lee", "PER"), ("Bonn|Rhein", "LOC")]


def test_an_entity_inside_a_token(read):
    """Else a part of a token is the whole of it, without a word."""
    text = TEXT.replace("14-18\tBonn\t_\t_\t_", "14-18\tBonn\t_\t*\tGPE")
    text = text.replace("Rhein\tNE\t*\tLOC", "Rhein\tNE\t_\t_")
    export = read(HEAD + text)
    assert export.problems[0] == ("entity that is a part of a token", 13)
    assert export.unknown[0] == ["Bonn|Rhein"]
