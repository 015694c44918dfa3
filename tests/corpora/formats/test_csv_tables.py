"""Tables with a token a row, made by hand after those of Kaggle."""

from pathlib import Path

import pytest

from spacy_bertcrf.corpora.sources import Source

FIRST = """Sentence #,Word,POS,Tag
Sentence: 1,Thousands,NNS,O
,of,IN,O
,New,NNP,B-geo
,York,NNP,I-geo
Sentence: 2,He,PRP,O
,met,VBD,O
,Bob,NNP,B-per
"""
EACH = FIRST.replace("\n,", "\nSentence: 1,", 3).replace("\n,", "\nSentence: 2,")
ENTITIES = [[("New York", "geo")], [("Bob", "per")]]


@pytest.mark.parametrize("text", [FIRST, EACH], ids=["first", "each"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_kaggles_table(read, text, separator, line_end):
    """Else the corpus that most people begin with is an error, or one sentence, or its POS column
    is taken for the tags."""
    export = read(text.replace(",", separator).replace("\n", line_end), name="ner.csv")
    assert export.format == "csv"
    assert export.entities == ENTITIES
    assert export.problems == []
    assert [doc.text for doc in export.docs] == ["Thousands of New York", "He met Bob"]
    assert "token 'Word', tag 'Tag', sentence 'Sentence #'" in export.evidence


def test_latin_1(read_path):
    """Else the file as Kaggle has it cannot be read at all."""
    data = FIRST.replace("Bob", "Müller").encode("latin-1")
    export = read_path(Source(Path("ner.csv"), "latin-1", data=data))
    assert export.entities[1] == [("Müller", "per")]


@pytest.mark.parametrize(
    ("cell", "token"),
    [('""""', '"'), ('"a ""b"""', 'a "b"'), ('","', ","), ("'", "'"), ("क्\u200dष", "क्\u200dष")],
)
def test_quotes(read, cell, token):
    """Else a quote in the text swallows the lines up to the next one."""
    export = read(FIRST.replace("of", cell), name="ner.csv")
    assert export.docs[0][1].text == token
    assert export.entities == ENTITIES


def test_every_cell_in_quotes(read):
    """Else columns apart by tabs are refused, though a table apart by commas is read."""
    export = read('"Anna"\t"B-PER"\n"met"\t"O"\n""""\t"O"\n\n"Bo"\t"B-PER"\n', name="a.tsv")
    assert [[token.text for token in doc] for doc in export.docs] == [["Anna", "met", '"'], ["Bo"]]
    assert export.entities == [[("Anna", "PER")], [("Bo", "PER")]]
    assert export.problems == []


def test_quotes_that_are_tokens(read):
    """Else in a table apart by tabs, where nothing is quoted, each lone quote swallows lines."""
    text = 'word\ttag\n"\tO\nBob\tB-PER\n\n"\tO\n"Yes"\tO\nAnna\tB-PER\n'
    export = read(text, name="ner.tsv")
    assert [[token.text for token in doc] for doc in export.docs] == [
        ['"', "Bob"],
        ['"', '"Yes"', "Anna"],
    ]
    assert export.problems == []


def test_a_comma_that_nobody_quoted(read):
    """Else what a script of joined strings writes loses a token and its tag."""
    export = read(FIRST.replace(",of,IN", ",,,IN"), name="ner.csv")
    assert export.docs[0][1].text == ","
    assert export.problems == [("wrong number of columns", 3)]
    assert export.entities == ENTITIES


def test_a_row_of_other_width(read):
    """Else its tag is another column's."""
    export = read(FIRST.replace(",of,IN,O", ",of"), name="ner.csv")
    assert export.unknown == [["of"], []]
    assert export.problems == [("wrong number of columns", 3)]


@pytest.mark.parametrize("header", ["sentence_id,words,labels\n", ""])
def test_outside_that_is_called_otherwise(read, header):
    """Else every word that is no entity is one, of type OTHER, or they are all unknown."""
    text = f"{header}1,Anna,PER\n1,is,OTHER\n2,is,OTHER\n2,Bonn,LOC\n2,now,OTHER\n"
    export = read(text, name="ner.csv")
    assert export.entities == [[("Anna", "PER")], [("Bonn", "LOC")]]
    assert export.unknown == [[], []]
    assert "outside is O or OTHER" in export.notes["Tags"]


@pytest.mark.parametrize(
    "text",
    [
        "1,Anna,B-PER\n1,met,O\n2,Bob,B-PER\n2,now,O\n2,in,O\n",
        "0,Anna,B-PER\n1,met,O\n0,Bob,B-PER\n1,now,O\n2,in,O\n",
        "Anna,B-PER\nmet,O\n\nBob,B-PER\nnow,O\nin,O\n",
        ",token,ent\n0,Anna,B-PER\n1,met,O\n,,\n3,Bob,B-PER\n4,now,O\n5,in,O\n",
        "doc_id,word,tag\na,Anna,B-PER\na,met,O\nb,Bob,B-PER\nb,now,O\nb,in,O\n",
    ],
    ids=["sentences", "tokens", "blank lines", "blank rows", "documents"],
)
def test_how_sentences_are_marked(read, text):
    """Else a corpus becomes one text, or each word one."""
    export = read(text, name="ner.csv")
    assert [[token.text for token in doc] for doc in export.docs] == [
        ["Anna", "met"],
        ["Bob", "now", "in"],
    ]
    assert export.entities == [[("Anna", "PER")], [("Bob", "PER")]]


def test_nothing_marks_sentences(read):
    """Else the whole file is one text, which no model can be trained on, without a word."""
    text = "word,tag\nMr,O\n.,B-PER\nBob,I-PER\nsits,O\n.,O\nHe,O\n.,O\n"
    export = read(text, name="ner.csv")
    assert [len(doc) for doc in export.docs] == [5, 2]
    assert export.problems == [("no column of sentences", 0)]


def test_columns_that_the_user_names(read):
    """Else a file whose columns are found wrongly cannot be read."""
    text = "a,b,c,d\n1,Anna,B-x,B-PER\n1,met,O,O\n1,Bob,B-y,B-PER\n"
    assert read(text, name="f.csv").entities == [[("Anna", "PER"), ("Bob", "PER")]]
    assert read(text, name="f.csv", tag_column=3).entities == [[("Anna", "x"), ("Bob", "y")]]
    with pytest.raises(ValueError, match=r"f.csv: there is no tag column 7 among 4"):
        read(text, name="f.csv", tag_column=7, format="csv")


@pytest.mark.parametrize(
    "text",
    [
        "Dear Sir, I am,\nO, yes, no\n",
        "a\tO\nb\tB-PER\n\nc\tO\n",
        "a O\nb B-PER\n\nc O\n",
        "text,label\nthe film is good,pos\nthe film is bad,neg\n",
        'text,tags\nAnna met,"B-PER O"\nBob sat,"B-PER O"\n',
        "name,age\nAnna,30\nBob,31\n",
    ],
)
def test_what_is_none(recognised, text):
    """Else prose, columns, or texts a row are read as a table of tokens."""
    assert "csv" not in recognised(text, name="f.csv")


def test_documents_parted_by_docstart(read):
    """Else -DOCSTART- is a token, as in E-NER's table."""
    export = read("-DOCSTART-,O\n,\nAcme,B-ORG\nInc,I-ORG\n,\n-DOCSTART-,O\nBonn,B-LOC\nis,O\n")
    assert export.entities == [[("Acme Inc", "ORG")], [("Bonn", "LOC")]]


def test_a_cell_of_any_length(read):
    """Python's csv stops at 131,072 characters, with an error that names no file."""
    long = '<PER>Anna</PER> said "hi", then ' + "a" * 140_000
    export = read(long + "\n", name="t.txt")
    assert export.entities == [[("Anna", "PER")]]
