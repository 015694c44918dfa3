"""What is written can be read by others."""

import json

import pytest

from spacy_bertcrf.annotation.inputs import input_file
from spacy_bertcrf.annotation.results import parquet_schema, write_results
from spacy_bertcrf.annotation.settings import Settings
from spacy_bertcrf.annotation.shards import cut

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

SPAN = {"start": 0, "end": 2, "text": "王明", "label": "name", "score": 0.5}
RESULTS = [
    {"id": "1", "text": "王明", "entities": [SPAN], "spans": {"a": [SPAN]}, "cats": {"good": 0.25}},
    {"id": "2", "text": "", "entities": []},
]


def test_parquet_holds_what_jsonl_holds(tmp_path):
    """Both are promised to say the same; nested columns are where they would differ."""
    schema = parquet_schema([], Settings(save_texts=True))
    write_results(tmp_path / "part.parquet", RESULTS, schema)
    write_results(tmp_path / "part.jsonl", RESULTS)
    lines = (tmp_path / "part.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == RESULTS
    first, second = parquet.read_table(tmp_path / "part.parquet").to_pylist()
    first |= {"spans": dict(first["spans"]), "cats": dict(first["cats"])}
    assert first == RESULTS[0]
    assert second == {**RESULTS[1], "spans": None, "cats": None}


def test_no_rows_are_a_file_with_the_same_columns(tmp_path):
    """A shard whose texts have all failed must not make the folder unreadable."""
    schema = parquet_schema([], Settings())
    write_results(tmp_path / "1.parquet", [], schema)
    write_results(tmp_path / "2.parquet", RESULTS, schema)
    assert len(parquet.read_table(tmp_path)) == 2


def sources(tmp_path, *columns):
    files = []
    for i, column in enumerate(columns):
        table = pyarrow.table({"text": ["x"], "n": column})
        parquet.write_table(table, tmp_path / f"{i}.parquet")
        files.append(input_file(tmp_path / f"{i}.parquet"))
    return cut(files, Settings(keep=("n",))).sources


def test_kept_columns_keep_their_types(tmp_path):
    keep = Settings(keep=("n",))
    schema = parquet_schema(sources(tmp_path, [1], [2]), keep)
    assert schema.field("n").type == pyarrow.int64()
    with pytest.raises(ValueError, match=r"1.parquet: the column 'n' is string.* int64"):
        parquet_schema(sources(tmp_path, [1], ["a"]), keep)


def test_kept_json_is_text(tmp_path):
    """JSON says no types; a column that is a number here and a list there would be an error in the
    millionth shard."""
    (tmp_path / "a.jsonl").write_text('{"text": "x", "n": [1]}\n')
    archive = cut([input_file(tmp_path / "a.jsonl")], Settings(keep=("n",)))
    schema = parquet_schema(archive.sources, Settings(keep=("n",)))
    rows = [{"id": "1", "n": n, "entities": []} for n in ([1], "a", None, {"b": 2})]
    write_results(tmp_path / "part.parquet", rows, schema)
    found = parquet.read_table(tmp_path / "part.parquet").column("n").to_pylist()
    assert found == ["[1]", "a", None, '{"b": 2}']


def test_half_a_character_can_be_written(tmp_path):
    """Such a text is among the errors, which must be written all the same."""
    write_results(tmp_path / "errors.jsonl", [{"text": "\ud800"}])
    assert json.loads((tmp_path / "errors.jsonl").read_text()) == {"text": "\ud800"}


def test_a_failed_write_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        write_results(tmp_path / "missing" / "part.jsonl", RESULTS)

    class Bad(list):
        def __iter__(self):
            yield {"id": "1"}
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        write_results(tmp_path / "part.jsonl", Bad())
    assert list(tmp_path.iterdir()) == []
