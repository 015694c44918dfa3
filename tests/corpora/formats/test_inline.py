"""Texts with marked entities, invented, in the ways of several corpora and tools."""

import pytest

ANNA = [("Anna Lee", "PER"), ("Bonn", "LOC")]


@pytest.mark.parametrize(
    "line",
    [
        "<PER>Anna Lee</PER> lives in <LOC>Bonn</LOC>.",
        '<ENAMEX TYPE="PER">Anna Lee</ENAMEX> lives in <ENAMEX TYPE="LOC">Bonn</ENAMEX>.',
        "<ne type='PER' id=3>Anna Lee</ne> lives in <ne type='LOC'>Bonn</ne>.",
        "<START:PER> Anna Lee <END> lives in <START:LOC> Bonn <END>.",
        "{{PER:Anna Lee}} lives in {{LOC: Bonn}}.",
        "[@Anna Lee#PER*] lives in [@Bonn#LOC*].",
        "[Anna Lee](PER) lives in [Bonn](LOC).",
        "[PER Anna Lee ] lives in [LOC Bonn ].",
        "<Anna Lee:PER> lives in <Bonn:LOC>.",
        '<b_enamex TYPE="PER">Anna Lee<e_enamex> lives in <b_x TYPE="LOC">Bonn<e_x>.',
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_each_way_of_marking(read, line, line_end):
    """Else the marks are text, and their labels words."""
    export = read(line_end.join([line, "", "Nothing here."]), name="a.txt")
    assert export.format == "inline"
    assert export.entities == [ANNA, []]
    assert [doc.text for doc in export.docs] == ["Anna Lee lives in Bonn.", "Nothing here."]
    assert export.problems == []
    assert "PER, LOC" in export.evidence


def test_a_colon_in_the_entity(read):
    """Else half past two is of the type 'time:14'. A blank behind the colon is told."""
    export = read("在{{time:14:19}}（记者{{person_name: 施宇翔}}）\n")
    assert export.entities == [[("14:19", "time"), ("施宇翔", "person_name")]]
    assert export.docs[0].text == "在14:19（记者施宇翔）"
    assert export.notes["Marks with blanks inside, left out"] == "1"


def test_muc_documents(read):
    """Else the elements around documents are text, or entities; escapes are words."""
    text = (
        '<DOC DOCNO="a@b">\n<DOCNO> 17 </DOCNO>\n<TXT>\n'
        '<ENAMEX TYPE="ORGANIZATION">AT&amp;T</ENAMEX> on <TIMEX TYPE="DATE">May 3</TIMEX>\n'
        "</TXT>\n</DOC>\n"
    )
    export = read(text)
    assert export.entities == [[("AT&T", "ORGANIZATION"), ("May 3", "DATE")]]
    assert "&amp;" in export.notes["Escapes read as their characters"]
    assert export.problems == []


def test_ontonotes_parts_of_words(read):
    """Else the sign before a name is part of it."""
    export = read('in <ENAMEX TYPE="GPE" S_OFF="1">(Bonn</ENAMEX> now\n')
    assert export.entities == [[("Bonn", "GPE")]]


def test_nested_elements(read):
    """Else the inner entity is lost without a word."""
    export = read("<ORG>Uni <LOC>Bonn</LOC></ORG> lies <LOC>there</LOC>\n", spans_key="sc")
    spans = [(span.text, span.label_) for span in export.docs[0].spans["sc"]]
    assert sorted(spans) == [("Bonn", "LOC"), ("Uni Bonn", "ORG"), ("there", "LOC")]


def test_marks_without_a_label(read):
    """Else the label is invented, or a traceback."""
    text = "Here is <START> Anna Lee <END> .\n"
    with pytest.raises(ValueError, match="--label"):
        read(text)
    assert read(text, label="PER").entities == [[("Anna Lee", "PER")]]


def test_an_entity_over_lines(read):
    """Else both lines are left out."""
    export = read("<PER>Bo</PER> and <PER>Anna\nLee</PER> sit\n<PER>Eve</PER> sits\n")
    assert [len(ents) for ents in export.entities] == [2, 1]
    assert export.problems == []


def test_a_mark_without_its_other_half(read):
    """Else a text with half a mark in it is learnt, or all behind it is lost."""
    export = read("<PER>Bo</PER> sits\nhere <PER>Anna sits\n<PER>Eve</PER> sits\nx</LOC> y\n")
    assert [doc.text for doc in export.docs] == ["Bo sits", "Eve sits"]
    assert export.problems == [
        ("mark without its other half", 2),
        ("mark without its other half", 4),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "<html><body><p>Anna</p></body></html>\n",
        "<p>Anna <b>met</b></p>\n<p>Bob</p>\n",
        "<item><name>Anna</name></item>\n" * 3,
        "a < b and c > d\n",
        "Dear {{name}}, hello\n",
        "Anna [1] met {x}\n",
        "See [the docs](docs/a.md), [this](LICENSE) and [that](LICENSE)\n",
        "# Title\n\n[Anna](PER) is a mark, as [Bonn](LOC)\n",
    ],
)
def test_what_is_none(recognised, text):
    """Else pages, data and templates are corpora."""
    assert "inline" not in recognised(text)


def test_no_mark_at_all(read):
    """Else plain text is annotated, without entities."""
    with pytest.raises(ValueError, match="no entity is marked"):
        read("Anna met Bob\n", format="inline")


def test_an_element_over_the_end_of_a_line(read):
    """Else MUC's entities are lost where a line was filled, and their marks become words."""
    text = (
        '<DOC>\n<DD> 02/19/93 </DD>\n<TXT>\n<ENAMEX TYPE="PERSON">Anna Lee</ENAMEX> left <ENAMEX\n'
        'TYPE="LOCATION">Bonn</ENAMEX> for <ENAMEX TYPE="ORGANIZATION"\n'
        'STATUS="OPT">Acme</ENAMEX>.\nIt was 3 <\nfour.\n</TXT>\n</DOC>\n'
    )
    export = read(text, name="a.sgm")
    assert export.entities[1] == [
        ("Anna Lee", "PERSON"),
        ("Bonn", "LOCATION"),
        ("Acme", "ORGANIZATION"),
    ]
    assert [doc.text for doc in export.docs][1:] == [
        "Anna Lee left Bonn for Acme.",
        "It was 3 <",
        "four.",
    ]
    assert export.entities[0] == []
    assert export.problems == []


@pytest.mark.parametrize(
    "text",
    [
        "In {{LOC:Bonn}}.\nAt {{ORG:Acme in\nold {{LOC:Rome}} now.\nTo {{LOC:Oslo}}.\n",
        "In <START:LOC> Bonn <END>.\nAt <START:ORG> Acme in\nold <START:LOC> Rome <END> now.\n"
        "To <START:LOC> Oslo <END>.\n",
    ],
)
def test_a_mark_that_opens_inside_another(read, text):
    """Else an entity that nobody closed runs on to the end of the next, over lines."""
    export = read(text, name="a.txt")
    assert export.entities == [[("Bonn", "LOC")], [("Oslo", "LOC")]]
    (problem,) = export.corpus.problems
    assert problem.line == 2
    assert "lines 2 to 3 are left out" in problem.what


def test_what_is_no_escape_stays(read):
    """Python's own way takes the parameters of an address for escapes."""
    export = read("<PER>Tom &amp; Jerry</PER> saw a?x=1&copy=2&reg=3 in <LOC>Bonn</LOC>\n")
    assert export.docs[0].text == "Tom & Jerry saw a?x=1&copy=2&reg=3 in Bonn"
    assert export.entities == [[("Tom & Jerry", "PER"), ("Bonn", "LOC")]]
