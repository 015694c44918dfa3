"""XML of several corpora's ways, invented."""

import pytest

from spacy_bertcrf.corpora.xml_tree import without_layout

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
ANNA = [("Anna Lee", "PER"), ("Bonn", "LOC")]


def inside(anna, bonn):
    return (
        f"{HEAD}<corpus>\n <doc><title>News</title>\n  <s>Dear {anna},\n    I saw {bonn}.</s>\n"
        "  <s>Rain &amp; <i>more</i> rain.</s></doc></corpus>\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("anna", "bonn"),
    [
        ("<PER>Anna Lee</PER>", "<LOC>Bonn</LOC>"),
        ('<ENT type="PER">Anna Lee</ENT>', "<ENT type='LOC' id='3'>Bonn</ENT>"),
        ('<EM CATEG="PER">Anna Lee</EM>', '<EM CATEG="LOC">Bonn</EM>'),
        ('<cons sem="PER">Anna <i>Lee</i></cons>', '<cons sem="LOC">Bonn</cons>'),
    ],
)
def test_elements_among_words(read, anna, bonn):
    """Else the file's indents are in the texts, italics are entities, or nothing is read."""
    export = read(inside(anna, bonn), name="corpus.xml")
    assert export.format == "xml"
    assert export.entities[-2:] == [ANNA, []]
    assert [doc.text for doc in export.docs][-2:] == [
        "Dear Anna Lee, I saw Bonn.",
        "Rain & more rain.",
    ]
    assert export.problems == []


def test_an_edition(read):
    """Else notes and line breaks of an edition are entities, and its header's names too."""
    text = (
        HEAD + '<TEI xmlns="http://www.tei-c.org/ns/1.0"><teiHeader><title>By <persName>Ed'
        "</persName></title></teiHeader><text><body><p>Dear <persName ref='#a'>Anna<lb/>Lee"
        "</persName> <hi>of</hi> <placeName>Bonn</placeName></p></body></text></TEI>"
    )
    export = read(text, name="letter.xml")
    assert export.entities == [[("Anna\nLee", "persName"), ("Bonn", "placeName")]]


def test_alternatives_and_latin_1(read_path, tmp_path):
    """Else HAREM's text has a passage twice, or the encoding that it declares is asked for."""
    text = (
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<col><DOC>\n <p>Não vi\n  <ALT>'
        '<EM CATEG="PER">Anna de Bonn</EM> | <EM CATEG="PER">Anna</EM> de <EM CATEG="LOC">Bonn'
        "</EM></ALT> hoje"
        '\n  <EM COMENT="1">lá</EM></p></DOC></col>\n'
    )
    path = tmp_path / "harem.xml"
    path.write_bytes(text.encode("latin-1"))
    export = read_path(path)
    assert [doc.text for doc in export.docs] == ["Não vi Anna de Bonn hoje lá"]
    assert export.entities == [[("Anna de Bonn", "PER")]]
    assert export.notes["Elements of that name without a label, not read"] == "1"


@pytest.mark.parametrize(
    "text",
    [
        "<notes><TEXT><![CDATA[Anna Lee saw Bonn]]></TEXT><TAGS>"
        '<NAME id="P0" start="0" end="8" text="Anna Lee" TYPE="PER"/>'
        '<PLACE id="P1" start="13" end="17" text="Bonn" TYPE="LOC"/></TAGS></notes>',
        '<document id="d"><sentence id="s" text="Anna Lee saw Bonn">'
        '<entity id="e0" charOffset="0-7" type="PER" text="Anna Lee"/>'
        '<entity id="e1" charOffset="13-16" type="LOC" text="Bonn"/>'
        '<pair id="p" e1="e0" e2="e1" ddi="false"/></sentence></document>',
        '<sentences><sentence id="1"><text>Anna Lee saw Bonn</text><aspects>'
        '<PER term="Anna Lee" from="0" to="8"/><LOC term="Bonn" from="13" to="17"/>'
        '<PER term="NULL" from="0" to="0"/></aspects></sentence></sentences>',
    ],
)
def test_annotations_with_offsets(read, text):
    """Else ends that are inclusive lose a letter, or an aspect of no word is an error."""
    export = read(HEAD + text, name="a.xml")
    assert export.format == "xml"
    assert export.entities == [ANNA]
    assert export.problems == []


BIOC = (
    HEAD + '<!DOCTYPE collection SYSTEM "BioC.dtd">\n<collection><source>X</source><document><id>7'
    "</id><passage><offset>0</offset><text>Of Bonn</text><annotation id='1'><infon key='type'>LOC"
    "</infon><location offset='3' length='4'/><text>Bonn</text></annotation></passage><passage>"
    "<offset>8</offset><text>Anna Lee saw Bonn</text><annotation id='2'><infon key='type'>PER"
    "</infon><location offset='8' length='8'/><text>Anna Lee</text></annotation><annotation id='3'>"
    "<infon key='type'>LOC</infon><location offset='21' length='4'/><text>Bonn</text></annotation>"
    "</passage></document></collection>"
)


def test_bioc(read):
    """Else entities of all passages but the first are elsewhere, or all are locations."""
    export = read(BIOC, name="a.xml")
    assert export.format == "bioc"
    assert export.entities == [[("Bonn", "LOC")], ANNA]
    assert export.problems == []


def test_an_annotation_of_bioc_without_a_place(read):
    """Else the model learns that it is none, wherever it is."""
    export = read(BIOC.replace("<location offset='21' length='4'/>", ""), name="a.xml")
    assert export.unknown == [[], ["saw", "Bonn"]]
    assert len(export.problems) == 1


@pytest.mark.parametrize(
    "text",
    [
        "<html><body><p>Anna <b>met</b></p></body></html>",
        "<list><item><name>Anna</name><place>Bonn</place></item></list>",
        "<s>\n<w>Anna</w> <w>saw</w> <w>Bonn</w></s>",
        "<doc>text <broken></doc>",
    ],
)
def test_what_is_no_annotated_text(recognised, text):
    """Else data, pages and single words are texts with entities."""
    assert recognised(HEAD + text, name="a.xml") == set()


def test_white_space_of_the_layout():
    """Else an entity moves by the indents before it."""
    text = "\n  Dear  Anna\n    saw\nit. \n"
    found, places = without_layout(text)
    assert found == "Dear Anna saw\nit."
    at = text.index("saw")
    assert found[places[at] : places[at + 3]] == "saw"
    assert len(places) == len(text) + 1


def test_texts_without_spaces(read):
    """Else no Chinese text in XML has words enough to be one."""
    words = '我们在<NAMEX TYPE="LOC">北京</NAMEX>见<NAMEX TYPE="PER">王明</NAMEX>。'
    text = (
        f'<?xml version="1.0"?>\n<DOC>\n<s id="1">{words}</s>\n<s id="2">没有名字。</s>\n</DOC>\n'
    )
    export = read(text, name="a.xml")
    assert export.entities == [[("北京", "LOC"), ("王明", "PER")], []]
    assert export.docs[0].text == "我们在北京见王明。"
