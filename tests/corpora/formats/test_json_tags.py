"""Rows of tokens and tags in JSON, made by hand after those of Hugging Face's datasets."""

import json

import pytest

NAMED = {"tokens": ["Anna", "met", "Bob"], "ner_tags": ["B-PER", "O", "B-PER"]}
NUMBERED = {"id": "7", "tokens": ["Anna", "met"], "pos_tags": [3, 4], "ner_tags": [1, 0]}
FEATURE = {"feature": {"names": ["O", "B-PER"], "_type": "ClassLabel"}, "_type": "Sequence"}
ANNA = [("Anna", "PER")]


@pytest.mark.parametrize("as_list", [False, True])
def test_names_of_tags(read, as_list):
    """Else what `to_json` of a data set writes has to be turned into columns first."""
    export = read(NAMED, NAMED, as_list=as_list)
    assert export.format == "json-tags"
    assert export.entities == [[*ANNA, ("Bob", "PER")]] * 2
    assert export.problems == []
    assert "'tokens' holds tokens and 'ner_tags' tags" in export.evidence


def test_numbers_need_names(read):
    """Else numbers become labels, or CoNLL-2003's order is taken for everybody's."""
    with pytest.raises(ValueError, match=r"export.json: 'ner_tags' holds numbers.*--labels"):
        read({"tokens": ["a", "b", "c"], "ner_tags": [0, 1, 1]})
    export = read(NUMBERED, labels=["O", "B-PER"])
    assert export.entities == [ANNA]
    assert "--labels" in export.notes["Names of the tags"]


def test_a_number_without_a_name(read):
    """Else a tag that the names do not reach is taken for outside; -100 says that none is known."""
    row = {"tokens": ["Anna", "met", "Bob"], "ner_tags": [1, 5, -100]}
    export = read(row, labels=["O", "B-PER"])
    assert export.entities == [ANNA]
    assert export.unknown == [["met", "Bob"]]
    assert export.problems == [("unknown tag", 1)]


def test_names_and_numbers_beside(read):
    """Else the numbers are asked about though the names stand beside them."""
    export = read({**NAMED, "ner_ids": [1, 0, 1]})
    assert export.entities == [[*ANNA, ("Bob", "PER")]]
    assert export.notes["Other lists that are not read"] == "ner_ids"


def test_other_layers_are_no_entities(read):
    """Else chunks, which have prefixes too, or finer types are read for the entities."""
    row = {**NAMED, "chunk_tags": ["B-NP", "B-VP", "B-NP"], "fine_ner_tags": ["B-x", "O", "B-y"]}
    assert read(row).entities == [[*ANNA, ("Bob", "PER")]]


def test_space_after_gives_the_text(read):
    """Else the model learns from texts that nobody writes."""
    export = read({**NAMED, "space_after": [True, False, False]})
    assert export.docs[0].text == "Anna metBob"
    assert read({**NAMED, "text": "Anna met  Bob"}).docs[0].text == "Anna met Bob"


@pytest.mark.parametrize(
    "row",
    [
        {"text": ["海", "钓", "厦", "门"], "labels": ["O", "O", "B-LOC", "I-LOC"]},
        {"text": "海 钓 厦 门", "labels": "O O B-LOC I-LOC"},
        {"text": "海钓厦门", "label": ["O", "O", "B-LOC", "I-LOC"]},
        {"words": ["海", "钓", "厦", "门"], "tags": ["O", "O", "LOC", "LOC"]},
        {"tokens": ["海", "钓", "厦", "门"], "tags": ["OTHER", "OTHER", "LOC", "LOC"]},
        {"tokens": ["海", "钓", "厦", "门"], "entities": ["o", "o", "b-LOC", "i-LOC"]},
    ],
)
def test_other_keys_and_notations(read, row):
    """Else files of the same kind that other scripts wrote are errors, or lose their outside."""
    export = read(row)
    assert export.format == "json-tags"
    assert export.entities == [[("厦门", "LOC")]]
    assert export.problems == []


def test_what_stands_for_outside_is_said(read):
    """Else an entity type named OTHER is lost in silence."""
    export = read({"tokens": ["Anna", "is", "in"], "tags": ["PER", "OTHER", "OTHER"]})
    assert "outside is O or OTHER" in export.notes["Tags"]
    both = read({"tokens": ["Anna", "is", "in"], "tags": ["PER", "OTHER", "O"]})
    assert both.entities == [[*ANNA, ("is", "OTHER")]]


def test_tags_without_a_label(read):
    """Else entities come out in pieces, labelled B and I."""
    row = {"tokens": ["New", "York", "now"], "tags": ["B", "I", "O"]}
    with pytest.raises(ValueError, match=r"name no label.*--label"):
        read(row)
    assert read(row, label="LOC").entities == [[("New York", "LOC")]]


def test_rows_in_one_object(read):
    """Else what the data set viewer answers, or a file of all splits, is no corpus."""
    features = [{"feature_idx": 0, "name": "ner_tags", "type": FEATURE}]
    viewer = {"features": features, "rows": [{"row_idx": 0, "row": NUMBERED}]}
    export = read(viewer)
    assert export.entities == [ANNA]
    assert "features" in export.notes["Names of the tags"]
    splits = read({"train": [NAMED], "test": [NAMED, NAMED]})
    assert len(splits.docs) == 3
    assert splits.notes["Lists of rows"] == "train, test"


def test_rows_of_several_sentences(read):
    """Else a file of one row a document, or of one object of columns, is an error."""
    row = {"doc_id": 1, "tokens": [["Anna"], ["met", "x"]], "ner_tags": [["B-PER"], ["O", "O"]]}
    assert read(row).entities == [ANNA, []]
    columns = {"tokens": {"0": ["Anna"], "1": ["x"]}, "ner_tags": {"0": ["B-PER"], "1": ["O"]}}
    assert read(columns).entities == [ANNA, []]


def test_lists_of_two_lengths(read):
    """Else each tag moves to the next token, without a word."""
    good, bad = {"tokens": ["a"], "ner_tags": ["O"]}, {"tokens": ["Anna"], "ner_tags": ["O", "O"]}
    export = read(NAMED, good, bad)
    assert export.problems == [("line that cannot be read", 3)]
    assert export.annotated == [True, True, False]


README = """---
dataset_info:
  features:
  - name: ner_tags
    sequence:
      class_label:
        names:
          '0': O
          '1': B-PER
---
"""


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("dataset_info.json", json.dumps({"features": {"ner_tags": FEATURE}})),
        ("dataset_infos.json", json.dumps({"default": {"features": {"ner_tags": FEATURE}}})),
        ("label.json", json.dumps({"O": 0, "B-PER": 1})),
        ("id2label.json", json.dumps({"0": "O", "1": "B-PER"})),
        ("labels.txt", "O\nB-PER\n"),
        ("README.md", README),
    ],
)
@pytest.mark.parametrize("folder", [".", "data"])
def test_names_in_a_file_beside(read_path, tmp_path, name, content, folder):
    """Else names that come with every data set have to be copied onto the command line."""
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / name).write_text(content)
    path = tmp_path / folder / "train.json"
    path.write_text(json.dumps(NUMBERED))
    export = read_path(path)
    assert export.entities == [ANNA]
    assert name in export.notes["Names of the tags"]


@pytest.mark.parametrize(
    ("name", "content"), [("labels.txt", "PER\nLOC\n"), ("labels.txt", "O O\nO B-PER\n")]
)
def test_a_file_beside_of_something_else(read_path, tmp_path, name, content):
    """Else a list of entity types is taken for the list of tags, and each tag moves."""
    (tmp_path / name).write_text(content)
    path = tmp_path / "train.json"
    path.write_text(json.dumps(NUMBERED))
    with pytest.raises(ValueError, match="--labels"):
        read_path(path)


@pytest.mark.parametrize(
    "value",
    [
        {"data": NAMED, "annotations": [{"result": []}]},
        {"text": "Anna met", "tokens": [{"text": "Anna", "start": 0, "end": 4}], "spans": []},
        {"text": "Anna met", "label": ["x", "y"]},
        {"text": "Anna", "label": "1"},
        {"text": "Anna met", "label": [0, 1]},
        {"tokens": ["Anna", "met"], "pos_tags": [1, 2]},
        {"tokens": ["Anna", "met"], "lemmas": ["Anna", "meet"]},
        {"tokens": ["Anna", "met"], "ner": [[0, 0, "PER"]]},
    ],
)
def test_what_is_none(recognised, value):
    """Else the file of a tool, whose annotation lies elsewhere, is read by its data's tags."""
    assert "json-tags" not in recognised(value)


@pytest.mark.parametrize(
    "value",
    [
        [{"text": "Anna", "ner": "B-PER"}, {"text": "met", "ner": "O"}],
        [{"word": "Anna", "ner": "PERSON", "index": 1}, {"word": "met", "ner": "O", "index": 2}],
        [["Anna", "B-PER"], ["met", "O"]],
        {"tokens": [{"token": "Anna", "label": "B-PER"}, {"token": "met", "label": "O"}]},
    ],
)
def test_tokens_that_are_objects_or_pairs(read, value):
    """Else what Stanza and CoreNLP write, or a pickled list of pairs, is no corpus."""
    for values in ([value, value], [{"sentences": [value, value]}], [{"d": [[value], [value]]}]):
        export = read(*values)
        assert export.format == "json-tags"
        assert [[text for text, _ in of] for of in export.entities] == [["Anna"], ["Anna"]]


def test_characters_beside_tags_in_a_string(read):
    """Else medical dialogues (IMCS) cannot be read."""
    line = {"speaker": "x", "sentence": "王明来", "BIO_label": "B-PER I-PER O"}
    export = read({"1001": {"dialogue": [line]}, "1002": {"dialogue": [line]}})
    assert export.entities == [[("王明", "PER")]] * 2


def test_letters_behind_the_label(read):
    """Else tags such as PER-B, where no token is outside, are words."""
    rows = [{"tokens": ["New", "York"], "ner_tags": ["LOC-B", "LOC-I"]} for _ in range(2)]
    assert read(*rows).entities == [[("New York", "LOC")]] * 2


def test_a_triple_is_no_list_of_tags(recognised):
    """Else "B-cell" is the tag of a text of three words."""
    assert "json-tags" not in recognised({"text": "a B cell", "entities": [[2, 8, "B-cell"]]})
    found = [{"entity": "B-PER", "word": "An", "start": 0, "end": 2, "index": 1}]
    assert "json-tags" not in recognised({"text": "Anna came", "entities": found})


@pytest.mark.parametrize("numbered", [False, True])
@pytest.mark.parametrize("by_sentence", [False, True])
def test_a_list_of_inner_tags(read, numbered, by_sentence):
    """Else GermEval's inner entities are lost where overlaps are kept."""
    names = ["O", "B-PER", "B-ORG", "I-ORG", "B-LOC"]
    rows = [
        (["TSV", "Bonn", "won"], ["B-ORG", "I-ORG", "O"], ["O", "B-LOC", "O"]),
        (["Anna", "came", "too", "."], ["B-PER", "O", "O", "O"], ["O", "O", "O", "O"]),
    ]
    keys = ("tokens", "ner_tags", "nested_ner_tags")
    values = [dict(zip(keys, row, strict=True)) for row in rows]
    if numbered:
        for value in values:
            for key in keys[1:]:
                value[key] = [names.index(tag) for tag in value[key]]
    if by_sentence:
        values = [{key: [value[key] for value in values] for key in values[0]}] * 2
    export = read(*values, labels=names if numbered else None, spans_key="sc", format="json-tags")
    spans = [[(span.text, span.label_) for span in doc.spans["sc"]] for doc in export.docs]
    assert spans[:2] == [[("TSV Bonn", "ORG"), ("Bonn", "LOC")], ANNA]
    assert export.problems == []


def test_inner_tags_that_are_too_few(read):
    """Else what is annotated on one level is lost, or the fault not seen."""
    row = NAMED | {"nested_ner_tags": ["O", "O", "B-LOC"]}
    few, odd = ({"nested_ner_tags": tags} for tags in (["O"], ["O", "O", "LOC"]))
    export = read(row, row, row | few, row | odd)
    assert export.entities == [[*ANNA, ("Bob", "PER")]] * 4
    assert sorted(line for _, line in export.problems) == [1, 2, 3, 4]


def test_numbers_of_inner_tags_without_names(read):
    """Else rows whose outer tags have names are refused for the inner ones."""
    rows = [NUMBERED | {"nested_ner_tags": [0, 2]}] * 2
    export = read({"features": {"ner_tags": FEATURE}, "rows": [{"row": row} for row in rows]})
    assert export.entities == [ANNA] * 2
    assert export.notes["Other lists that are not read"] == "nested_ner_tags"


def test_sentences_that_lack_tags_or_words(read):
    """Else a row of several sentences loses some of them in silence."""
    tokens, tags = [["Anna", "met", "her"], ["Bob"]], [["B-PER", "O", "O"], ["B-PER"]]
    whole = {"tokens": tokens, "ner_tags": tags}
    few = whole | {"ner_tags": tags[:1]}
    odd = whole | {"tokens": [["Anna", None, "her"], ["Bob"]]}
    export = read(whole, whole, whole, few, odd)
    assert export.entities == [ANNA, [("Bob", "PER")]] * 3 + [[], [], [("Bob", "PER")]]
    assert export.unknown[6:] == [["Anna", "met", "her"], ["Bob"], []]
    assert [line for _, line in export.problems] == [4, 4, 5]


def test_rows_under_ids_are_no_other_keys(read):
    """Else the ids that are read are said to be keys that are not."""
    dialogues = {
        key: {"dialogue": [{"sentence": "流涕。", "BIO_label": "B-Symptom I-Symptom O"}]}
        for key in ("10000", "10001")
    }
    export = read(dialogues)
    assert export.entities == [[("流涕", "Symptom")]] * 2
    assert "Other keys, not read" not in export.notes
    assert "10000.dialogue" in export.notes["Lists of rows"]


def test_a_description_in_the_folder_is_no_corpus_that_cannot_be_read(read_path, tmp_path):
    """Else a data set with the names that it needs is refused with --strict."""
    info = {"features": {"ner_tags": FEATURE}}
    (tmp_path / "dataset_info.json").write_text(json.dumps(info))
    (tmp_path / "train.json").write_text(json.dumps(NUMBERED))
    export = read_path(tmp_path)
    assert export.entities == [ANNA]
    assert export.problems == []
