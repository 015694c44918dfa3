"""CoNLL-U with entities in MISC, made by hand after GUM, CorefUD, NorNE and NameTag."""

import pytest

ROW = "{}\t{}\t_\tX\t_\t_\t0\t_\t_\t{}\n"


def sentence(*words, comments=""):
    """A sentence of words with their MISC columns; a word's number where one is given."""
    rows, at = [], 0
    for form, misc, *number in words:
        at += not number
        rows.append(ROW.format(number[0] if number else at, form, misc))
    return comments + "".join(rows) + "\n"


GUM = sentence(
    ("Anna", "Entity=(1-person-new"),
    ("Lee", "SpaceAfter=No|Entity=1)"),
    (",", "_"),
    ("mayor", "Entity=(2-person-acc"),
    ("of", "_"),
    ("Bonn", "Discourse=x|Entity=(3-place-acc)2)|SpaceAfter=No"),
    (".", "_"),
    comments="# newdoc id = a\n# global.Entity = GRP-etype-infstat\n# text = ignored = here\n",
)


def test_brackets(read):
    """Else a corpus of entities, nested ones among them, is columns whose tags are unknown."""
    export = read(GUM, name="a.conllu", spans_key="sc")
    assert export.format == "conllu"
    spans = [(span.text, span.label_) for span in export.docs[0].spans["sc"]]
    assert spans == [("Anna Lee", "person"), ("mayor of Bonn", "person"), ("Bonn", "place")]
    assert export.docs[0].text == "Anna Lee, mayor of Bonn. "
    assert export.problems == []
    assert read(GUM, name="a.conllu").problems == [("nested entities", 9)]


@pytest.mark.parametrize(
    ("parts", "opens", "closes"),
    [
        ("GRP-etype-infstat-centering-minspan-link-identity", "7-person-new-cf1-1-ana-A_B", "7"),
        ("entity-GRP-infstat-MIN-coref_type-identity", "person-7-new-1,2-coref", "7"),
        ("eid-etype-head-other", "e7-person-1-a:b", "e7"),
        ("etype-identity", "person-Anna_Lee", "person"),
        ("etype", "person", "person"),
        ("", "7-person-new", "7"),
        ("", "e7-person", "e7"),
        ("", "person-7", "person-7"),
        ("", "person", "person"),
    ],
)
def test_the_order_of_parts(read, parts, opens, closes):
    """Else groups of coreference, or information status, become labels."""
    head = f"# global.Entity = {parts}\n" if parts else ""
    words = [
        ("Anna", f"Entity=({opens}"),
        ("Lee", f"Entity={closes})"),
        ("is", f"Entity=({opens})"),
    ]
    export = read(sentence(*words, comments=head), name="a.conllu")
    assert export.entities == [[("Anna Lee", "person"), ("is", "person")]]
    assert export.problems == []


def test_several_open_and_close_at_one_word(read):
    """Else all but the first of them are lost."""
    words = [
        ("a", "Entity=(1-x(2-y"),
        ("b", "Entity=2)1)(3-z"),
        ("c", "Entity=3)(4-z)"),
    ]
    export = read(sentence(*words), name="a.conllu", spans_key="sc")
    spans = [(span.text, span.label_) for span in export.docs[0].spans["sc"]]
    assert sorted(spans) == [("a b", "x"), ("a b", "y"), ("b c", "z"), ("c", "z")]


def test_entities_that_no_sentence_holds(read):
    """Else an entity is cut, moved, or leaves its words as known to be none."""
    one = sentence(("a", "_"), ("b", "Entity=(1-x"))
    two = sentence(("c", "Entity=1)"), ("d", "Entity=9)"), ("e", "_"))
    export = read(one + two, name="a.conllu", format="conllu")
    assert export.unknown == [["b"], ["c", "d"]]
    assert export.problems == [
        ("entity over several sentences", 2),
        ("entity without a beginning", 5),
    ]
    pieces = sentence(("a", "Entity=(e1[1/2]-x)"), ("b", "_"), ("c", "Entity=(e1[2/2]-x)"))
    export = read(pieces, name="a.conllu")
    assert export.unknown == [["a", "c"]]
    assert {kind for kind, _ in export.problems} == {"entity in pieces"}


def test_coreference_alone(read):
    """Else every mention is a problem, or gets a number for a label."""
    text = "# global.Entity = eid-etype-head\n" + sentence(("Anna", "Entity=(e1--1)"))
    with pytest.raises(ValueError, match=r"have no types.*--label"):
        read(text, name="a.conllu")
    assert read(text, name="a.conllu", label="X").entities == [[("Anna", "X")]]


@pytest.mark.parametrize("key", ["NER", "NE", "name"])
def test_tags_in_misc(read, key):
    """Else Danish and Norwegian corpora are an error, or the whole of MISC is their label."""
    words = [("Anna", f"SpaceAfter=No|{key}=B-PER"), ("Lee", f"{key}=I-PER|x=y"), ("is", "_")]
    export = read(sentence(*words), name="a.conllu")
    assert export.entities == [[("AnnaLee", "PER")]]
    assert export.notes["Tag scheme"].startswith("BIO")
    assert export.problems == []


def test_nametags_nested_entities(read):
    """Else types with numbers are labels, each of one word."""
    words = [("Anna", "NE=P_1-pf_2"), ("Lee", "NE=P_1-ps_3"), ("is", "_")]
    export = read(sentence(*words), name="a.conllu", spans_key="sc")
    spans = [(span.text, span.label_) for span in export.docs[0].spans["sc"]]
    assert sorted(spans) == [("Anna", "pf"), ("Anna Lee", "P"), ("Lee", "ps")]


def test_multiword_rows_and_empty_nodes(read):
    """Else words come twice, or an ellipsis becomes a token of an entity."""
    words = [
        ("im", "SpaceAfter=No", "1-2"),
        ("in", "_"),
        ("dem", "Entity=(1-place"),
        ("fehlt", "Entity=(9-x)", "2.1"),
        ("Haus", "Entity=1)"),
    ]
    export = read(sentence(*words), name="a.conllu")
    assert export.entities == [[("demHaus", "place")]]
    assert export.docs[0].text == "in demHaus "
    assert export.notes["Empty nodes left out"] == "1"
    assert export.notes["Multiword tokens"].startswith("1")


def test_documents_and_comments(read):
    """Else documents cannot be joined, and a comment of tabs is a word."""
    text = "# newdoc\n# a\tb\tc\td\te\tf\tg\th\ti\tj\n" + sentence(("Anna", "name=B-PER"))
    export = read(text + "broken\trow\n\n" + GUM.replace("Entity=", "E="), name="a.conllu")
    assert [len(doc) for doc in export.docs] == [1, 7]
    assert export.problems == [("row that is no word", 5)]


def test_conllu_without_entities(recognised, read):
    """Else a treebank is read as texts without entities."""
    text = sentence(("Anna", "SpaceAfter=No"), ("is", "_"))
    assert "conllu" not in recognised(text)
    with pytest.raises(ValueError, match="no entities in the column MISC"):
        read(text, format="conllu")


def test_a_key_of_its_own_that_has_nothing_but_tags(read):
    """Else Nerus' Tag= is not known, and its entities are lost."""
    rows = ["1\tAnna\t_\tPROPN\t_\t_\t0\troot\t_\tTag=B-PER|Other=x"]
    rows.append("2\tschläft\t_\tVERB\t_\t_\t1\tdep\t_\tTag=O|Other=B-y")
    export = read("\n".join(rows) + "\n", name="a.conllu")
    assert export.entities == [[("Anna", "PER")]]
    assert "'Tag='" in export.evidence
