"""Tables with a text a row, invented, as people upload them."""

import csv
import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spacy_bertcrf.corpora.cell_values import parse_cell

ANNA = [("Anna Lee", "PER"), ("Bonn", "LOC")]
TOKENS = ["Anna", "Lee", "saw", "Bonn"]
TAGS = ["B-PER", "I-PER", "O", "B-LOC"]
SPANS = [(0, 8, "PER"), (13, 17, "LOC")]
EMPTY = ["Nobody", "saw", "it", "then"]
OBJECTS = [{"start": start, "end": end, "label": label} for start, end, label in SPANS]


def table(*rows, separator=","):
    """A table as programs write it, with quotes where a cell needs them."""
    file = io.StringIO()
    csv.writer(file, delimiter=separator).writerows(rows)
    return file.getvalue()


def as_array(values):
    """As NumPy prints it."""
    return "[" + " ".join(map(repr, values)) + "]"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    ("names", "write_tokens", "write_tags"),
    [
        (["text", "labels"], " ".join, " ".join),
        (["Sentence #", "Sentence", "POS", "Tag"], " ".join, repr),
        (["id", "tokens", "ner_tags"], repr, repr),
        (["tokens", "tags"], json.dumps, json.dumps),
        (["", "tokens", "ner_tags"], as_array, as_array),
        (["sentence", "word_labels"], " ".join, ",".join),
    ],
)
def test_tags_for_each_word(read, names, write_tokens, write_tags, separator):
    """Else a list of tags is one tag, NumPy's strings are joined to one, or nothing is read."""
    cells = {"Sentence #": "Sentence: 1", "POS": repr(["NN"] * 4), "id": "0", "": "0"}
    rows = [names]
    for tokens, tags in ((TOKENS, TAGS), (EMPTY, ["O"] * 4)):
        rows.append([cells.get(name, write_tokens(tokens)) for name in names[:-1]])
        rows[-1].append(write_tags(tags))
    export = read(table(*rows, separator=separator), name="data.csv")
    assert export.format == "csv-texts"
    assert export.entities == [ANNA, []]
    assert [token.text for token in export.docs[0]] == TOKENS
    assert export.problems == []


@pytest.mark.parametrize("separator", [",", "\t"])
@pytest.mark.parametrize("names", [["text", "labels"], ["id", "text", "bio_anno", "class"], []])
def test_tags_for_each_character(read, names, separator):
    """Else a tag is the word of a text that has none between spaces: its entities are lost, or its
    tags are the text."""
    rows = []
    for number, (text, tags) in enumerate(
        [
            ("交行14年用过", "B-BANK I-BANK O O O O O"),
            ("很好, 行", "O O O O O"),
            ("招行不错", "B-BANK I-BANK O O"),
            ("还行啊", "O O O"),
        ]
    ):
        cells = {"id": number, "text": text, "class": number % 2}
        rows.append([cells.get(name, tags) for name in names or ("text", "labels")])
    export = read(table(*([names] if names else []), *rows, separator=separator), name="data.csv")
    assert export.format == "csv-texts"
    assert export.entities == [[("交行", "BANK")], [], [("招行", "BANK")], []]
    assert export.problems == []


@pytest.mark.parametrize(
    "cell",
    [
        repr({"entities": SPANS}),
        repr(SPANS),
        json.dumps(SPANS),
        json.dumps(OBJECTS),
        repr(OBJECTS),
    ],
)
@pytest.mark.parametrize("name", ["entities", "annotation", "label", "ner"])
def test_entities_with_offsets(read, cell, name):
    """Else a tuple that a program wrote into a cell is its text's class. An empty list says that
    nothing is there, an empty cell that nobody looked."""
    empty = [] if cell.startswith("[") else {"entities": []}
    rows = [["Text", name], ["Anna Lee saw Bonn", cell], ["It, and more.", empty], ["Not seen", ""]]
    export = read(table(*rows), name="data.csv")
    assert export.format == "csv-texts"
    assert export.entities == [ANNA, [], []]
    assert export.annotated == [True, True, False]
    assert export.problems == []


def test_a_table_without_names(read):
    """Else its first text is lost, or lists are the texts and texts their classes."""
    rows = [["Anna Lee saw Bonn", json.dumps(SPANS)], ["It, and more.", "[]"]]
    export = read(table(*rows, separator="\t"), name="data.tsv")
    assert export.format == "csv-texts"
    assert export.entities == [ANNA, []]


@pytest.mark.parametrize("separator", [",", "\t"])
@pytest.mark.parametrize("n_before", [0, 5000])
def test_quotes_behind_backslashes(read, separator, n_before):
    """Else a backslash and a quote are in the text instead of the quote, and all behind them is
    elsewhere, without a word."""
    rows = ["He said.,[]"] * n_before
    spans = "[(0, 4, 'PER'), (19, 22, 'PER')]"
    rows += [rf'"Anna said \"Hi\", to Bob","{spans}"', r'"Ed \\",[]']
    rows = [row.replace(",[]", f"{separator}[]").replace('","', f'"{separator}"') for row in rows]
    export = read("\n".join([f"text{separator}entities", *rows, ""]), name="data.csv")
    assert export.entities[-2:] == [[("Anna", "PER"), ("Bob", "PER")], []]
    assert [doc.text for doc in export.docs[-2:]] == ['Anna said "Hi", to Bob', "Ed \\\\"]
    assert "quotes in cells written as" in export.notes["Columns"]
    doubled = table(
        ["text", "entities"], ['Anna "\\"', '[{"start": 0, "end": 4, "label": "X\\"Y"}]']
    )
    export = read(doubled)
    assert export.entities == [[("Anna", 'X"Y')]]
    assert export.docs[0].text == 'Anna "\\"'


def test_a_list_in_quotes_beside_one_without(read):
    """Else its quotes are part of it, and a table as pandas writes it is refused."""
    text = f'id,tokens,ner_tags\n0,"{as_array(TOKENS)}",[1 2 0 3]\n'
    assert read(text, labels=["O", "B-PER", "I-PER", "B-LOC"]).entities == [ANNA]


def test_an_entity_a_row(read):
    """Else a text is read again for each of its entities, with one of them each."""
    spans = [["Anna Lee saw Bonn", *span] for span in SPANS]
    rows = [
        ["text", "start", "end", "label"],
        *spans,
        ["Bob slept", 0, 3, "PER"],
        ["Rain", "", "", ""],
    ]
    export = read(table(*rows), name="data.csv")
    assert export.entities == [ANNA, [("Bob", "PER")], []]


def test_categories(read):
    """Else a table of classes has no reader, or its classes are entities."""
    rows = [["label", "text"], ["pos", "A good, long film"], ["neg", "Bad"], ["pos", "Good again"]]
    export = read(table(*rows), name="data.csv")
    assert [doc.cats for doc in export.docs] == [
        {"neg": 0.0, "pos": 1.0},
        {"neg": 1.0, "pos": 0.0},
        {"neg": 0.0, "pos": 1.0},
    ]


def test_numbers_of_tags_are_asked_for(read):
    """Else the order of the labels is guessed."""
    text = table(["tokens", "ner_tags"], [as_array(TOKENS), "[1 2 0 3]"])
    with pytest.raises(ValueError, match="--labels"):
        read(text)
    assert read(text, labels=["O", "B-PER", "I-PER", "B-LOC"]).entities == [ANNA]


def test_a_row_with_too_many_cells_is_told(read):
    """Else a comma that nobody quoted shifts the annotation to another column."""
    text = table(["text", "labels"], *[["Anna saw Bonn", "B-PER O B-LOC"]] * 9) + "a, b,O,O O\n"
    export = read(text)
    assert export.problems == [("wrong number of cells", 11)]
    assert len(export.docs) == 9


@pytest.mark.parametrize(
    "rows",
    [
        [["text", "person"], ["Anna saw Bonn", "Anna"]],
        [["a", "b"], ["1", "2"], ["3", "4"]],
        [["text", "score"], ["Anna saw Bonn", "0.5"], ["Bob", "0.7"]],
        [["Word", "Tag"], ["Anna", "B-PER"], ["saw", "O"], ["Bonn", "B-LOC"]],
    ],
)
def test_what_is_no_annotated_text(recognised, rows):
    """Else names beside a text are its classes, and tokens are texts."""
    assert "csv-texts" not in recognised(table(*rows))


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.text(min_size=1).filter(str.strip), min_size=2, max_size=5), st.data())
def test_any_words_in_a_list(read, words, data):
    """Else a quote, a comma or a line break in a word ends a cell, a list or a row."""
    write = data.draw(st.sampled_from([repr, json.dumps]))
    rows = [[write(words), write(["B-X", *["O"] * (len(words) - 1)])]] * 2
    export = read(table(["tokens", "ner_tags"], *rows), format="csv-texts")
    assert [token.text for token in export.docs[0]] == words
    assert [ent.text for ent in export.docs[0].ents] == words[:1]


@pytest.mark.slow
@given(st.lists(st.text(min_size=1) | st.integers(0, 9), min_size=1))
def test_a_list_reads_as_it_was_written(values):
    """Else strings without a comma between them become one."""
    assert parse_cell(repr(values)) == parse_cell(repr(tuple(values))) == values


@pytest.mark.parametrize(
    "cell", ["[", "[1", "{x}", "('a'", "(a)", "[a b]", "['a' ... 'b']", "(1j,)"]
)
def test_what_is_no_value_stays_as_it_is(cell):
    """Else a text that begins with a bracket ends in a traceback, or an array that NumPy cut short
    loses its middle."""
    assert parse_cell(cell) == cell


@pytest.mark.parametrize("last", ['"Eve left Bonn",0,3,PER', "Eve left Bonn,0,3,PER"])
def test_quotes_that_no_comma_asks_for(read, last):
    """Else a text begins with a quote, and all its entities are a character beside their places."""
    rows = ["text,start,end,label", '"Anna met Bob",0,4,PER', '"Anna met Bob",9,12,PER', last]
    export = read("\n".join(rows) + "\n", name="a.csv")
    assert export.entities == [[("Anna", "PER"), ("Bob", "PER")], [("Eve", "PER")]]
    assert export.problems == []


def test_a_row_without_all_its_cells_is_told(read):
    """Else a text that has swallowed its annotation is one without any."""
    entities = json.dumps(OBJECTS)
    rows = [["text", "entities"], *([" ".join(TOKENS), entities] for _ in range(3))]
    export = read(table(*rows) + '"Bob sat, [{""start"": 0}]"\n', name="t.csv")
    assert [line for _, line in export.problems] == [5]
    full = [" ".join(TOKENS), entities]
    rows = [["text", "entities", "note"], *[[*full, "good"]] * 3, full, full]
    assert read(table(*rows), name="t.csv").problems == [], "empty cells that are left out"


@pytest.mark.parametrize("ids", [[0, 1, 2], [7, 7, 8]])
def test_rows_of_entities_may_be_numbered(read, ids):
    """Else a text comes once for each entity, and is known to have none of the others."""
    texts = ["Anna Lee saw Bonn"] * 2 + ["Bob Ray saw it"]
    spans = [*SPANS, (0, 7, "PER")]
    rows = [[i, text, *span] for i, text, span in zip(ids, texts, spans, strict=True)]
    export = read(table(["id", "text", "start", "end", "label"], *rows), name="t.csv")
    assert export.entities == [ANNA, [("Bob Ray", "PER")]]
