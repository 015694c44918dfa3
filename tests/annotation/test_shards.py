"""From files to rows, through shards in any order."""

import csv
import gzip
import io
import json
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spacy_bertcrf.annotation.inputs import input_file
from spacy_bertcrf.annotation.settings import Settings
from spacy_bertcrf.annotation.shards import ShardReader, cut

pyarrow = pytest.importorskip("pyarrow")

KINDS = ("jsonl", "csv", "tsv", "txt", "parquet")
texts_strategy = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
    min_size=1,
    max_size=25,
)


def content(texts, kind):
    """A file with rows of id and text, as bytes."""
    if kind == "jsonl":
        return "".join(
            json.dumps({"id": i, "text": text}, ensure_ascii=False) + "\n"
            for i, text in enumerate(texts)
        ).encode()
    if kind in ("csv", "tsv"):
        written = io.StringIO(newline="")
        rows = csv.writer(written, delimiter="\t" if kind == "tsv" else ",")
        rows.writerows([("id", "text"), *enumerate(texts)])
        return written.getvalue().encode()
    if kind == "parquet":
        from pyarrow.parquet import write_table

        written = io.BytesIO()
        table = pyarrow.table({"id": list(range(len(texts))), "text": texts})
        write_table(table, written, row_group_size=4)
        return written.getvalue()
    return "\n".join(texts).encode()


def write(folder, name, data):
    path = folder / name
    if path.suffix == ".gz":
        data = gzip.compress(data)
    elif path.suffix == ".zst":
        data = pyarrow.Codec("zstd").compress(data, asbytes=True)
    path.write_bytes(data)
    return input_file(path)


def rows_of(file, **options):
    given = Settings(**options)
    archive = cut([file], given)
    reader = ShardReader(archive.sources, given)
    return [row for shard in archive.shards for row in reader.read(shard)]


@pytest.mark.slow
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    texts_strategy,
    st.sampled_from(KINDS),
    st.sampled_from(["", ".gz", ".zst"]),
    st.integers(1, 8),
    st.randoms(),
)
def test_every_text_is_in_one_shard(tmp_path, texts, kind, compression, size, rng):
    """Whatever the format, the cut and the order of the work: no text lost, none twice."""
    if kind == "txt":
        texts = [f"{i} {text}" for i, text in enumerate(texts)]
        texts = [text.replace("\n", " ").rstrip("\r") for text in texts]
    if kind == "tsv":  # a line of a text with a tab could be a row by itself
        texts = [text.replace("\t", " ") for text in texts]
    file = write(tmp_path, f"texts.{kind}{compression}", content(texts, kind))
    # A second file, for shards go on from one to the next.
    more = write(tmp_path, "more.jsonl", content(["more"] * 3, "jsonl"))
    given = Settings(shard_size=size)
    archive = cut([file, more], given)
    assert archive.n_texts == len(texts) + 3
    assert max(shard.n_texts for shard in archive.shards) <= size
    reader = ShardReader(archive.sources, given)
    found = {}
    for shard in rng.sample(archive.shards, k=len(archive.shards)):
        found[shard.number] = reader.read(shard)
    rows = [row for number in sorted(found) for row in found[number]]
    assert [row.fault for row in rows] == [None] * len(rows)
    assert [row.text for row in rows] == [*texts, "more", "more", "more"]
    if kind != "txt":
        assert [row.id for row in rows] == [*map(str, range(len(texts))), "0", "1", "2"]


def test_ids_are_made_of_file_and_line(tmp_path):
    file = write(tmp_path, "texts.txt", "\ufeffone\r\n\r\n  \r\nfour\r\n".encode())
    assert [(row.id, row.text) for row in rows_of(file)] == [
        (f"{file.path}:1", "one"),
        (f"{file.path}:4", "four"),
    ]
    file = write(tmp_path, "texts.csv", b'text,n\n"two\nlines",1\nnext,2\n')
    assert [(row.id, row.text) for row in rows_of(file)] == [
        (f"{file.path}:2", "two\nlines"),
        (f"{file.path}:4", "next"),
    ]


def test_quotes_that_are_characters_as_any_other(tmp_path):
    """Else texts of a .tsv without quoting are one, and nobody learns of it."""
    rows = b'id\ttext\n1\t"Good morning\n2\tnice day"\n3\t"Hi" she said\n'
    file = write(tmp_path, "texts.tsv", rows)
    with pytest.raises(ValueError, match=r"texts\.tsv:2: 2 lines are one row.*--no-quotes"):
        rows_of(file)
    found = [row.text for row in rows_of(file, quotes=False)]
    assert found == ['"Good morning', 'nice day"', '"Hi" she said']
    file = write(tmp_path, "texts.tsv", b'id\ttext\n1\t"two\nlines"\n')
    assert [row.text for row in rows_of(file)] == ["two\nlines"]


def test_the_suffix_says_what_parts_columns(tmp_path):
    rows = b"id\ttext\n1\ta, b\n"
    for name in ("texts.TSV", "texts.csv.tsv", "texts.tsv"):
        assert [row.text for row in rows_of(write(tmp_path, name, rows))] == ["a, b"]


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("texts.csv", "标题,text\na,b\n".encode("gbk"), r"texts\.csv:1: byte 0xB1 is not UTF-8"),
        ("texts.jsonl", b"{\n", r"texts\.jsonl:1 cannot be read: no JSON: .*\)\.$"),
        ("texts.jsonl", b'{"txt": "a"}\n', r"no 'text', only 'txt'\. Name the field"),
    ],
)
def test_what_is_wrong_is_what_is_said(tmp_path, name, data, expected):
    with pytest.raises(ValueError, match=expected):
        rows_of(write(tmp_path, name, data))


def test_a_missing_id_is_no_fault_of_the_text(tmp_path):
    file = write(tmp_path, "texts.jsonl", b'{"text": "a"}\n')
    with pytest.raises(ValueError, match=r"it has no id under 'key'\.$"):
        rows_of(file, id_field="key")


def test_an_empty_compressed_file_was_cut_off(tmp_path):
    (tmp_path / "texts.jsonl.gz").touch()
    with pytest.raises(ValueError, match="cut off"):
        rows_of(input_file(tmp_path / "texts.jsonl.gz"))


def test_a_file_can_be_one_text(tmp_path):
    file = write(tmp_path, "letter.txt", b"Dear\n\nall\n")
    (row,) = rows_of(file, whole_files=True)
    assert (row.id, row.text) == (str(file.path), "Dear\n\nall\n")


def test_kept_columns_come_along(tmp_path):
    file = write(tmp_path, "texts.jsonl", b'{"text": "a", "n": [1], "x": 2}\n{"text": "b"}\n')
    rows = rows_of(file, keep=("n",))
    assert [row.kept for row in rows] == [{"n": [1]}, {"n": None}]


@pytest.mark.parametrize(
    ("name", "line", "fault"),
    [
        ("texts.jsonl", b"{", "no JSON"),
        ("texts.jsonl", b"[1]", "no JSON object"),
        ("texts.jsonl", b'{"body": 1}', "has no 'text', only 'body'"),
        ("texts.jsonl", b'{"text": null}', "null, which is no text"),
        ("texts.jsonl", b'{"text": "\xff"}', "0xFF is not UTF-8"),
        ("texts.jsonl", rb'{"text": "\ud800"}', "half a character"),
        ("texts.txt", b"\xc4\xe3", "0xC4 is not UTF-8"),
        ("texts.csv", b"\xff", "0xFF is not UTF-8"),
        ("texts.csv", b"a,b", "2 fields, and the header 1"),
    ],
)
def test_a_faulty_row_has_its_place_and_stops_none(name, line, fault, tmp_path):
    """One bad line in a hundred million must not cost the others, nor pass in silence."""
    good = b'{"text": "good"}' if name.endswith("jsonl") else b"good"
    lines = [b"text", good] if name.endswith("csv") else [good]
    file = write(tmp_path, name, b"\n".join([*lines, line, good]) + b"\n")
    first, faulty, last = rows_of(file)
    assert (first.text, faulty.text, last.text) == ("good", None, "good")
    assert fault in faulty.fault
    assert faulty.place == f"{file.path}:{len(lines) + 1}"


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("texts.jsonl", b'{"body": "x"}\n', r"texts.jsonl:1 .*only 'body'.*--text-field"),
        ("texts.txt", "你好".encode("gb18030"), "texts.txt:1 .*iconv"),
        ("texts.csv", b"body;n\nx;1\n", r"no column 'text'.*'body;n'.*--delimiter"),
        ("texts.csv", b"text,text\nx,1\n", "2 columns 'text'"),
        ("texts.csv", b"", "no header"),
        ("texts.csv", b'text\n"a" b\n', r"texts.csv:2 is no row of a CSV file"),
        ("texts.parquet", b"nothing", "no whole Parquet file"),
        ("texts.parquet.gz", b"nothing", "no whole Parquet file"),
    ],
)
def test_what_no_setting_can_read_is_told_before_anything_is_done(name, data, expected, tmp_path):
    with pytest.raises(ValueError, match=expected):
        cut([write(tmp_path, name, data)], Settings())


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".gz", ".zst"])
@pytest.mark.parametrize("harm", ["cut", "other"])
def test_half_a_file_is_an_error(suffix, harm, tmp_path):
    """A download that was cut off would look like an archive that has been annotated."""
    data = "".join(f"text {random.random()}\n" for _ in range(20_000)).encode()
    file = write(tmp_path, f"texts.txt{suffix}", data)
    stored = file.path.read_bytes()
    file.path.write_bytes(stored[: len(stored) // 2] if harm == "cut" else b"no such file")
    with pytest.raises(ValueError, match="no whole"):
        cut([file], Settings())


def test_a_file_that_changes_meanwhile_is_an_error(tmp_path):
    file = write(tmp_path, "texts.txt", b"one\ntwo\n")
    archive = cut([file], Settings(shard_size=1))
    reader = ShardReader(archive.sources, Settings(shard_size=1))
    reader.read(archive.shards[0])
    write(tmp_path, "texts.txt", b"one\nother\n")
    with pytest.raises(ValueError, match="was changed"):
        reader.read(archive.shards[1])
