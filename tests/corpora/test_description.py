"""What is said of files that no format reads."""

import io
import tarfile
import zipfile

import pytest

from spacy_bertcrf.corpora.reading import read_corpus

COLUMNS = "Anna\tB-PER\nmet\tO\nBob\tB-PER\n"


def archive(*names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        for name in names:
            packed.writestr(name, COLUMNS)
    return file.getvalue()


def tar():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as packed:
        packed.addfile(tarfile.TarInfo("train.txt"), io.BytesIO())
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (COLUMNS.replace("met", "m\0t").encode(), "NUL byte in line 2 .take it out"),
        (COLUMNS.encode("utf-16-le"), "--encoding utf-16-le"),
        ("张\tB-PER\n三\tI-PER\n".encode("utf-16-be"), "--encoding utf-16-be"),
        (archive("train.txt"), "a zip archive .unpack it"),
        (archive("[Content_Types].xml", "xl/workbook.xml"), "Excel table .save it as CSV"),
        (archive("word/document.xml"), "Word file .save it as text"),
        (tar(), "a tar archive .unpack it"),
        (b"\0\1\2\3" * 99, "a file that is no text"),
        (b"\x78\x9c" + b"xyz", "a file that is no text"),
        (b"<?xml version='1.0'?>\n<p>\n<PER>Anna</PER> & Bob\n</p>", r"line 3, column 17"),
        (b"<?xml version='1.0'?>\n<p>\n<LOC>Rome.</p>", r"mismatched tag: line 3, column \d+"),
    ],
)
def test_what_is_to_be_done_with_a_file(tmp_path, data, said):
    """Else the user hears that no format fits, and not what is wrong."""
    path = tmp_path / "corpus.xml"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=said):
        read_corpus(path)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_the_encoding_that_is_named_reads_it(tmp_path, encoding):
    """Else the advice leads nowhere."""
    path = tmp_path / "corpus.txt"
    path.write_bytes(COLUMNS.encode(encoding))
    assert read_corpus(path, encoding=encoding).docs[0].text == "Anna met Bob"
