"""Data sets of Hugging Face as they lie on the disk, made by pyarrow after those that datasets 5.2
writes."""

import json
import sys

import pytest

from spacy_bertcrf.corpora.arrow_tables import open_table
from spacy_bertcrf.corpora.detection import weigh
from spacy_bertcrf.corpora.formats.format import AGAINST
from spacy_bertcrf.corpora.formats.huggingface import UNKNOWN_CLASS
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.reading import CorpusReader
from spacy_bertcrf.corpora.sources import Source

pa = pytest.importorskip("pyarrow")

TAGGED = [{"id": "7", "tokens": ["Anna", "met"], "ner_tags": [1, 0]}]
NAMES = {"names": ["O", "B-PER"], "_type": "ClassLabel"}
FEATURES = {"ner_tags": {"feature": NAMES, "_type": "List"}}
LABEL = {"names": ["PER", "LOC"], "_type": "ClassLabel"}
ANNA = [[("Anna", "PER")]]


@pytest.fixture
def write(tmp_path):
    """Writes rows as a table, in the way that the file's name says."""

    def write_rows(rows, name, features=None):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        info = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
        table = pa.Table.from_pylist(rows).replace_schema_metadata(info if features else None)
        if path.suffix == ".parquet":
            import pyarrow.parquet

            pyarrow.parquet.write_table(table, path)
        else:
            opened = pa.ipc.new_file if path.suffix == ".feather" else pa.ipc.new_stream
            with opened(path, table.schema) as file:
                file.write_table(table)
        return path

    return write_rows


@pytest.fixture
def save(write, tmp_path):
    """Writes a folder as `save_to_disk` does, of several splits if their names are given."""

    def save_rows(*splits):
        for split in splits or ("",):
            files = [f"data-{i:05}-of-00002.arrow" for i in range(2)]
            for file in files:
                write(TAGGED, f"saved/{split}/{file}", FEATURES)
            state = {"_data_files": [{"filename": file} for file in files], "_split": None}
            (tmp_path / "saved" / split / "state.json").write_text(json.dumps(state))
            info = json.dumps({"features": FEATURES})
            (tmp_path / "saved" / split / "dataset_info.json").write_text(info)
        if splits:
            names = json.dumps({"splits": list(splits)})
            (tmp_path / "saved" / "dataset_dict.json").write_text(names)
        return tmp_path / "saved"

    return save_rows


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.feather"])
def test_numbered_tags_have_the_names_of_their_features(write, read_path, name):
    """Else what `to_parquet` writes has to be turned into lines first, and its tags named."""
    export = read_path(write(TAGGED, name, FEATURES))
    assert export.format == "huggingface"
    assert export.entities == ANNA
    assert export.problems == []
    assert "features" in export.notes["Names of the tags"]
    assert export.docs[0].user_data["key"] == "7"


def test_numbers_without_names_are_asked_about(write, read_path, tmp_path):
    """Else CoNLL-2003's order is taken for everybody's."""
    path = write(TAGGED, "data/a.parquet")
    with pytest.raises(ValueError, match=r"a.parquet: 'ner_tags' holds numbers.*--labels"):
        read_path(path)
    assert read_path(path, labels=["O", "B-PER"]).entities == ANNA
    (tmp_path / "dataset_info.json").write_text(json.dumps({"features": FEATURES}))
    assert read_path(path).entities == ANNA


def test_tags_as_strings(write, read_path):
    """Else data sets without numbers are none."""
    rows = [{"words": ["Anna", "met"], "tags": ["B-PER", "O"]}]
    assert read_path(write(rows, "a.parquet")).entities == ANNA


SPAN = {"start": 0, "end": 4, "label": "PER"}
LISTS = {"start": [0], "end": [4], "label": [0]}
OF_SPAN = {"start": {"dtype": "int32", "_type": "Value"}, "label": LABEL}


@pytest.mark.parametrize(
    ("entities", "features"),
    [
        ([SPAN], None),
        ([{**SPAN, "label": 0}], {"feature": OF_SPAN, "_type": "List"}),
        ([{**SPAN, "label": 0}], [OF_SPAN]),
        (LISTS, {"feature": OF_SPAN, "_type": "Sequence"}),
        (LISTS, {"label": {"feature": LABEL, "_type": "List"}}),
    ],
)
def test_texts_with_spans(write, read_path, entities, features):
    """Else entities are lost that Arrow keeps as lists under keys, or are called 0 and 1."""
    rows = [{"text": "Anna met", "entities": entities}]
    path = write(rows, "a.parquet", features and {"entities": features})
    assert read_path(path).entities == ANNA


def test_texts_with_a_class(write, read_path):
    """Else a data set for classification is none, or its hidden classes are the last one."""
    rows = [{"text": text, "label": n} for text, n in (("a", 1), ("b", 0), ("c", -1), ("d", 5))]
    export = read_path(write(rows, "a.parquet", {"label": LABEL}))
    assert [doc.cats for doc in export.docs] == [
        {"LOC": 1.0, "PER": 0.0},
        {"LOC": 0.0, "PER": 1.0},
        {},
        {},
    ]
    assert export.problems == [(UNKNOWN_CLASS, 4)]


def test_a_saved_data_set(save, read_path):
    """Else a folder of `save_to_disk` is three files, two of which nobody can read."""
    folder = save()
    for inputs in (folder, folder / "state.json", f"{folder}/*"):
        export = read_path(inputs)
        assert export.entities == ANNA * 2
        assert export.problems == []
        assert export.notes["Tag scheme"].count("BIO") == 1
    assert read_path(folder / "data-00001-of-00002.arrow").entities == ANNA


def test_a_saved_data_set_of_several_splits(save, read_path):
    """Else train and test become one corpus without a word, or one split cannot be had alone."""
    folder = save("train", "test")
    for inputs in (folder, f"{folder}/*"):
        export = read_path(inputs)
        assert len(export.docs) == 4
        assert set(export.notes["Splits"].split("; ")) == {"train", "test"}
        assert export.problems == []
    export = read_path(folder / "train")
    assert len(export.docs) == 2
    assert export.notes["Splits"] == "train"


def test_a_folder_of_the_hub(write, read_path, tmp_path):
    """Else its README and licence are problems, or a corpus beside the tables is passed over."""
    for split in ("train", "test"):
        write(TAGGED, f"hub/data/{split}-00000-of-00001.parquet", FEATURES)
    write(TAGGED, "hub/cache-00ff.arrow", FEATURES)
    (tmp_path / "hub" / "README.md").write_text("A corpus")
    export = read_path(tmp_path / "hub")
    assert export.entities == ANNA * 2
    assert export.problems == []
    assert export.notes["Splits"] == "test; train"
    (tmp_path / "hub" / "dev.txt").write_text("Bob\tB-PER\nmet\tO\n")
    assert len(read_path(tmp_path / "hub").docs) == 4


@pytest.mark.parametrize("what", ["shard", "split", "indices"])
def test_a_folder_with_something_missing_is_refused(save, read_path, what):
    """Else a part of the corpus is left out without a word."""
    folder = save("train", "test")
    if what == "shard":
        (folder / "train" / "data-00001-of-00002.arrow").unlink()
    elif what == "split":
        (folder / "test" / "state.json").unlink()
    else:
        path = folder / "train" / "state.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "_indices_data_files": [{}]}))
    with pytest.raises(ValueError, match=r"not there|flatten_indices"):
        read_path(folder)


def test_a_table_of_something_else(write, read_path):
    """Else nobody hears what is in it."""
    path = write([{"question": "Why?", "answer": 3}], "a.parquet")
    with pytest.raises(ValueError, match="a Parquet file with the columns question, answer"):
        read_path(path)
    with pytest.raises(ValueError, match="Its columns are question, answer"):
        read_path(path, format="huggingface")
    evidence = weigh(Source(path), Options())[0].evidence
    assert evidence.strength == AGAINST
    assert "question, answer" in evidence.what


def test_a_broken_table_is_told(write, read_path):
    """Else an interrupted download ends in a traceback."""
    for name in ("a.parquet", "a.arrow"):
        path = write(TAGGED * 100, name, FEATURES)
        path.write_bytes(path.read_bytes()[:-300])
        with pytest.raises(ValueError, match=rf"{name} is no whole table"):
            read_path(path)


def test_without_pyarrow_its_extra_is_named(write, monkeypatch):
    """Else the user sees the name of a library that this package did not ask for."""
    path = write(TAGGED, "a.parquet", FEATURES)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"spacy-bertcrf\[parquet\]"):
        list(CorpusReader([path]).documents())


def test_pictures_are_not_read(write):
    """Else a data set of scanned pages takes gigabytes to read its tags."""
    rows = [{**TAGGED[0], "image": {"bytes": b"1", "path": None}, "vector": [0.5]}]
    with open_table(Source(write(rows, "a.parquet"))) as table:
        assert table.columns == ["id", "tokens", "ner_tags", "image", "vector"]
        assert list(table.rows) == [(1, TAGGED[0])]
