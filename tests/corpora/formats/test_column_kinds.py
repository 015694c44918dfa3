"""Columns as particular corpora have them, made by hand after their files."""

import pytest

from spacy_bertcrf.corpora.clean_tags import UNSEEN
from spacy_bertcrf.corpora.joining import Joining

ANNA = [("Anna Lee", "PER"), ("Bonn", "LOC")]


@pytest.mark.parametrize(
    ("rows", "lines"),
    [
        (["B-PER", "I", "O", "B-LOC"], "{0}\t{1}"),
        (["I-<PER>", "<PER>", "<other>", "I-<LOC>"], "{0} NOCAPS 0 {1}"),
        (["B-PER", "I-PER", "O", "S-LOC"], "{0} {1}"),
        (["B-PER", "I-PER", "O", "B-LOC"], "{0}|{1}"),
        (["B-PER", "I-PER", "O", "B-LOC"], "de:{0}\t{1}"),
        (["B-PER", "I-PER", "O", "B-LOC"], "{0} {1} +"),
    ],
)
def test_ways_of_writing_a_tag(read, rows, lines):
    """Else Korean corpora lose all of an entity but its first word, GROBID's "other" is a label,
    WikiANN's tokens begin with their language, and BIOS has half its entities reported."""
    tokens = ["Anna", "Lee", "saw", "Bonn"]
    made = "".join(lines.format(*pair) + "\n" for pair in zip(tokens, rows, strict=True))
    other = lines.format("Rain", rows[2] if "<" not in rows[2] else "I-<other>") + "\n"
    export = read(f"{made}\n{other}\n{made}", name="train.txt")
    assert export.entities == [ANNA, [], ANNA]
    assert [token.text for token in export.docs[0]] == tokens
    assert export.problems == []


def test_lines_of_markup_part_sentences(read):
    """Else <s> and </s> are tokens without annotation in each sentence."""
    sentences = ["Anna\tB-PER\nsaw\tO\nit\tO\n", "<b>\tO\nBonn\tB-LOC\n.\tO\n.\tO\n"]
    inside = "".join(f"<s>\n{sentence}</s>\n" for sentence in sentences)
    text = f"<doc id=1>\n{inside}</doc>\n"
    export = read(text, name="train.txt")
    assert [doc.text for doc in export.docs] == ["Anna saw it", "<b> Bonn . ."]
    assert export.notes["Lines of markup or rules, read as breaks"] == "6"
    assert export.problems == []


@pytest.mark.parametrize("line", ["==========", "Sentence: 2"])
def test_rules_and_numbers_part_sentences(read, line):
    """Else they are tokens of which nothing is known."""
    export = read(f"Anna\tB-PER\nsaw\tO\n{line}\nBonn\tB-LOC\n.\tO\n".replace("\t", " "))
    assert [doc.text for doc in export.docs] == ["Anna saw", "Bonn ."]
    assert export.problems == []


def test_a_file_without_a_break_between_sentences(read):
    """Else a corpus of a million tokens is one text."""
    sentence = "Anna\tPER\nLee\tPER\nsaw\tO\nBonn\tLOC\n.\tO\n"
    export = read(sentence * 600, name="train.txt")
    assert export.entities == [ANNA] * 600
    assert export.problems == [("no blank lines between sentences", 0)]
    assert read(sentence * 40, name="train.txt").problems == []


def test_two_levels_of_names_without_a_label_in_common(read):
    """Else the inner level, which is nearly empty, is read in place of the outer one."""
    export = read("Bonn\tB-ORG\tB-LOC\nUni\tI-ORG\tO\nsaw\tO\tO\nLee\tB-PER\tO\nInc\tB-ORG\tO\n")
    assert export.entities == [[("Bonn Uni", "ORG"), ("Lee", "PER"), ("Inc", "ORG")]]
    assert export.problems == [("nested entities", 1)]


NESTED = [
    "Uni\tB-ORG\tO\tO\nof\tI-ORG\tO\tO\nNew\tI-ORG\tB-LOC\tO\nYork\tI-ORG\tI-LOC\tO\nin\tO\tO\tO",
    "Uni B-ORG\nof I-ORG\nNew I-ORG B-LOC\nYork I-ORG I-LOC\nin O",
    "Uni B-ORG\nof I-ORG\nNew I-ORG|B-LOC\nYork I-LOC|I-ORG\nin O",
]


@pytest.mark.parametrize("nested", NESTED, ids=["columns", "as many as there are", "joined"])
def test_entities_in_entities(read, nested):
    """Else the inner ones are lost in silence, or become labels such as ORG|B-LOC."""
    empty = "\tO" * (nested.partition("\n")[0].count("\t") - 1)
    text = f"{nested}\n\nBonn\tB-LOC{empty}\nis\tO{empty}\n"
    text = text if "\t" in nested else text.replace("\t", " ")
    export = read(text, name="a.txt", spans_key="sc")
    assert [[(span.text, span.label_) for span in doc.spans["sc"]] for doc in export.docs] == [
        [("Uni of New York", "ORG"), ("New York", "LOC")],
        [("Bonn", "LOC")],
    ]
    assert export.problems == []
    assert read(text, name="a.txt").problems == [("nested entities", 3)]


def test_another_annotator_is_no_inner_level(read):
    """Else whoever annotated a part of a corpus again doubles its entities."""
    row = "{0}\t{1}\t{2}\tO\n"
    tagged = [("Anna", "B-PER"), ("Lee", "I-PER"), ("saw", "O"), ("Bonn", "B-LOC")]
    text = "".join(row.format(word, tag, "O") for word, tag in tagged) + "\n"
    again = "".join(row.format(word, tag, tag) for word, tag in tagged)
    export = read(3 * text + again, name="a.txt", spans_key="sc")
    assert export.entities == [[("Anna Lee", "PER"), ("Bonn", "LOC")]] * 4
    assert "column 3" in export.notes["Columns"]
    assert "is not read" in export.notes["Columns"]
    assert export.problems == []


def test_a_row_with_a_word_too_many_is_no_inner_level(read):
    """Else a word with a space in it has another tag."""
    export = read("Anna B-PER\nsaw O\nNew York O\nBonn B-LOC\n", name="a.txt", spans_key="sc")
    assert export.problems == [("wrong number of columns", 3)]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("1\tThe\tDET\t_\t_\n2\tdog\tNOUN\t_\t_\n\n1\tIt\tPRON\t_\t_\n", "nothing but '_'"),
        (
            "1 Jan a B-52 bomber\n2 Jan it failed\n3 Jan and it failed again\n",
            "3 lines only 1 have",
        ),
        ("<doc>\n<p>Anna</p>\n<p>saw</p>\n</doc>\nAnna B-PER\n", "markup"),
    ],
)
def test_what_is_no_table_of_tags(read, text, what):
    """Else a treebank is a corpus without entities, and a log one with some."""
    with pytest.raises(ValueError, match="no format fits"):
        read(text, name="a.txt")
    with pytest.raises(ValueError, match=what):
        read(text, name="a.txt", format="columns")


def test_numbers_of_sentence_and_token(read):
    """Else 1-1, 1-2 and 1-3 are the words."""
    export = read("1-1\tAnna\tB-PER\n1-2\tLee\tI-PER\n\n2-1\tBonn\tB-LOC\n2-2\t.\tO\n")
    assert export.entities == [[("Anna Lee", "PER")], [("Bonn", "LOC")]]


@pytest.mark.parametrize(
    "row",
    [
        "{tag}\t{at}\t{to}\t{token}\tNN\tB-NP",
        "{token}\tNN\t{tag}\tB_CLS",
        "{at}\t{token}\t{tag}\tB-NP",
    ],
)
def test_phrases_behind_the_entities(read, row):
    """Else noun phrases and clauses are the entities, or offsets the tokens, as in NERsuite's files
    and LST20."""
    tags = ["B-PER", "I-PER", "O", "O", "B-LOC", "O"]
    rows, at = [], 0
    for token, tag in zip(["Anna", "Lee", "was", "in", "Bonn", "."], tags, strict=True):
        rows.append(row.format(tag=tag, at=at, to=at + len(token), token=token))
        at += len(token) + 1
    export = read("\n".join(rows) + "\n", name="a.txt")
    assert export.entities == [ANNA]


def test_phrases_alone_are_said_to_be(read):
    """Else noun phrases are learnt as names."""
    export = read("Anna NNP B-NP\nsaw VBD B-VP\nit PRP B-NP\n\nIt PRP B-NP\nrained VBD B-VP\n")
    assert export.problems == [("labels of phrases", 0)]


def test_one_word_like_a_tag_makes_no_column_of_tags(read):
    """Else a bomber in a log is an entity."""
    with pytest.raises(ValueError, match="no format fits"):
        read("1 Jan INFO a B-52 in\n2 Jan INFO that it failed\n")


def test_tokens_with_bare_labels_are_no_texts(read):
    """Else each word is a text of the class Other."""
    export = read("Anna\tPER\nLee\tPER\nis\tOther\nnow\tOther\nin\tOther\nBonn\tLOC\n" * 3)
    assert export.entities == [ANNA * 3]


HIPE = """TOKEN\tNE-COARSE-LIT\tNE-COARSE-METO\tNE-FINE-LIT\tNE-FINE-COMP\tNE-NESTED\tNEL-LIT\tMISC
# hipe2022:document_id = one
# language = de
Anna\tB-pers\tO\tB-pers.ind\tB-comp.name\tO\tNIL\tNoSpaceAfter
,\tO\tO\tO\tO\tO\t_\tEndOfSentence
Bonn\tB-loc\tB-org\tB-loc.town\tO\tO\tQ1\t_

# hipe2022:document_id = two
Lee\tB-pers\tO\tB-pers.ind\tO\tO\t_\t_
"""


def test_hipe(read):
    """Else comments are tokens, a page is one sentence, and parts of names are the entities."""
    export = read(HIPE, name="HIPE-2022-de.tsv")
    assert export.format == "csv"
    assert export.entities == [[("Anna", "pers")], [("Bonn", "loc")], [("Lee", "pers")]]
    assert export.docs[0].text == "Anna, "
    assert "NE-FINE-LIT" in export.notes["Other columns of tags, not read"]
    assert export.problems == []


KLUE = """## klue-ner-v1_train_00000-nsmc\t<안나:PS>는 <로마:LC>에
안\tB-PS
나\tI-PS
는\tO
 \tO
로\tB-LC
마\tI-LC
에\tO

## klue-ner-v1_train_00001-nsmc\t네네
네\tO
네\tO
"""


@pytest.mark.parametrize("lang", [None, "xx"])
def test_characters_with_the_spaces_among_them(read, lang):
    """Else Korean has a space between any two characters, or a comment is the corpus."""
    export = read(KLUE, name="klue-ner.tsv", lang=lang)
    assert export.format == "columns"
    assert [doc.text for doc in export.docs] == ["안나는 로마에", "네네"]
    assert export.entities == [[("안나", "PS"), ("로마", "LC")], []]
    assert export.problems == []
    rows = [{"tokens": [*"안나는 로마에"], "ner_tags": ["B-PS", "I-PS", *"OOOOO"]}]
    assert read(*rows, lang=lang).docs[0].text == "안나는 로마에"


def test_a_space_among_words(read):
    """Else one token that is a space takes all others out of the text."""
    words = ["Anna", "went", "to", "Rome", "and", "slept", "there"]
    text = "".join(f"{word}\tO\n" for word in words)
    export = read(f"Anna\tB-PER\n \tO\nmet\tO\n\n{text}", lang="en")
    assert [doc.text for doc in export.docs] == ["Anna met", " ".join(words)]


@pytest.mark.parametrize("mark", ["-DOCSTART- (1 EU)\tO", "-docstart- -x- o o", "-DocStart-\tO"])
def test_marks_of_documents(read, mark):
    """Else the number of a document is a text of its own, and documents are joined."""
    row = "{}\t{}\n" if "\t" in mark else "{} x x {}\n"
    text = f"{mark}\n\n{row.format('EU', 'B-ORG')}{row.format('says', 'O')}\n"
    export = read(text * 2, joining=Joining(documents=True))
    assert [doc.text for doc in export.docs] == ["EU says"] * 2
    assert export.problems == []


@pytest.mark.parametrize(
    "tag", ["B-PER\u200b", "B- PER", "B -PER\u00a0", "B-P\u200bER", "\u2060B-PER"]
)
def test_what_nobody_sees_in_a_tag(read, tag):
    """Else two labels look the same, and each has half of the entities."""
    rows = [("Anna", "B-PER"), ("Lee", "I-PER"), ("saw", "O\u2060"), ("Bob", tag), ("Lee", "I-PER")]
    export = read("".join(f"{word}\t{of}\n" for word, of in rows), lang="en")
    people = [[("Anna Lee", "PER"), ("Bob Lee", "PER")]]
    assert export.entities == people
    assert export.problems == [(UNSEEN, 3), (UNSEEN, 4)]
    words, tags = zip(*rows, strict=True)
    if " " in tag:
        return
    export = read({"tokens": words, "ner_tags": tags})
    assert export.entities == people
    assert [kind for kind, _ in export.problems] == [UNSEEN] * 2


def test_what_nobody_sees_in_a_label(read):
    """Else an entity of a text has another label than all its like."""
    export = read({"text": "Anna saw Bob.", "label": [[0, 4, "PER"], [9, 12, "PER\u200b "]]})
    assert export.entities == [[("Anna", "PER"), ("Bob", "PER")]]
    assert export.problems == [(UNSEEN, 1)]
