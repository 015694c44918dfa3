"""CoNLL-U Plus, invented, in the ways of several treebanks."""

import pytest

FULL = """# global.columns = ID FORM LEMMA UPOS HEAD MISC XY:NE
# newdoc id = a
# sent_id = a.1
# text = Anna Lee saw Bonn.
1\tAnna\tAnna\tPROPN\t0\t_\tB-PER
2\tLee\tLee\tPROPN\t1\t_\tI-PER
3\tsaw\tsee\tVERB\t1\t_\tO
4-5\tBonn.\t_\t_\t_\t_\t_
4\tBonn\tBonn\tPROPN\t1\tSpaceAfter=No\tB-LOC
5\t.\t.\tPUNCT\t1\t_\tO

# sent_id = a.2
1\tRain\train\tNOUN\t0\t_\t_
"""
BARE = """# global.columns = FORM LEMMA UPOS XPOS FEATS CONLL:NER
Anna\tAnna\tPROPN\t[/N]\t_\tB-PER
Lee\tLee\tPROPN\t[/N]\t_\tI-PER
saw\tsee\tVERB\t[/V]\t_\tO
Bonn\tBonn\tPROPN\t[/N]\t_\tB-LOC

Rain\train\tNOUN\t[/N]\t_\tO
"""
SMALL = """# global.columns = id form ner misc
1\tAnna\tB-PER\t_
2\tLee\tI-PER\t_
3\tsaw\tO\t_
4\tBonn\tB-LOC\t_

1\tRain\tO\t_
"""


@pytest.mark.parametrize("text", [FULL, BARE, SMALL])
def test_columns_that_the_file_names(read, text):
    """Else the last column is the tags, numbers are the words, or two formats fit."""
    export = read(text, name="train.conllup")
    assert export.format == "conllu-plus"
    assert export.entities == [[("Anna Lee", "PER"), ("Bonn", "LOC")], []]
    assert export.problems == []


def test_spaces_and_words_of_multiword_tokens(read):
    """Else the text has other spaces than the treebank, or a word twice."""
    export = read(FULL)
    assert export.docs[0].text.strip() == "Anna Lee saw Bonn."
    assert export.docs[0].user_data["key"] == "a.1"
    assert export.notes["Multiword tokens and empty nodes, not read"] == "1"


def test_no_column_of_entities(recognised, read):
    """Else verbal expressions, or a treebank's parts of speech, are entities."""
    text = SMALL.replace("ner misc", "upos parseme:mwe").replace("B-PER", "N").replace("I-PER", "N")
    text = text.replace("B-LOC", "N").replace("\t_", "\t*")
    assert "conllu-plus" not in recognised(text)
    with pytest.raises(ValueError, match="parseme:mwe has tags"):
        read(text, format="conllu-plus")
