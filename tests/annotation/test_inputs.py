"""Which files of an archive are read."""

import pytest

from spacy_bertcrf.annotation.inputs import find_inputs


@pytest.fixture
def archive(tmp_path):
    for name in (
        "a.jsonl",
        "b.csv.gz",
        "sub/c.txt.zst",
        "sub/d.parquet",
        "notes.md",
        ".hidden.txt",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def names(files):
    return [file.path.name for file in files]


def test_a_folder_is_read_with_what_is_in_it(archive):
    """A file that is not read must be told of: it may be a third of the archive."""
    files, left_out = find_inputs([str(archive)], archive / "output")
    assert sorted(names(files)) == ["a.jsonl", "b.csv.gz", "c.txt.zst", "d.parquet"]
    assert [path.name for path in left_out] == ["notes.md"]
    by_name = {file.path.name: (file.kind, file.compression) for file in files}
    assert by_name["b.csv.gz"] == ("csv", ".gz")
    assert by_name["c.txt.zst"] == ("text", ".zst")


def test_each_file_is_read_once(archive):
    """Globs overlap; twice the file would be each text twice."""
    given = [str(archive / "a.jsonl"), str(archive / "*"), str(archive)]
    files, _ = find_inputs(given, archive / "output")
    assert sorted(names(files)) == ["a.jsonl", "b.csv.gz", "c.txt.zst", "d.parquet"]


def test_what_was_written_is_no_input(archive):
    """With the output inside the archive, the next run would annotate the last one's output."""
    (archive / "output").mkdir()
    (archive / "output" / "part-00000.jsonl").touch()
    files, _ = find_inputs([str(archive)], archive / "output")
    assert "part-00000.jsonl" not in names(files)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("missing.txt", "no such file"),
        ("*.nothing", "no such file"),
        ("notes.md", "Rename"),
    ],
)
def test_what_cannot_be_read_is_an_error(name, expected, archive):
    with pytest.raises(ValueError, match=expected):
        find_inputs([str(archive / name)], archive / "output")


def test_a_named_file_in_the_output_is_an_error(archive):
    """`--overwrite` would remove it: the errors that were just mended, say."""
    mended = archive / "output" / "errors.jsonl"
    mended.parent.mkdir()
    mended.touch()
    with pytest.raises(ValueError, match=r"errors.jsonl lies in .*output, which is written to"):
        find_inputs([str(mended)], archive / "output")


def test_folders_behind_links_are_read_and_hidden_ones_are_not(archive, tmp_path_factory):
    """Else a part of the archive is missing without a word, or each text is there twice."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "e.jsonl").touch()
    (elsewhere / "back").symlink_to(archive, target_is_directory=True)
    (archive / "2024").symlink_to(elsewhere, target_is_directory=True)
    (archive / ".ipynb_checkpoints").mkdir()
    (archive / ".ipynb_checkpoints" / "a-checkpoint.jsonl").touch()
    files, _ = find_inputs([str(archive)], archive / "output")
    expected = ["a.jsonl", "b.csv.gz", "c.txt.zst", "d.parquet", "e.jsonl"]
    assert sorted(names(files)) == expected
