import bz2
import gzip
import lzma
from pathlib import Path

import pytest

from spacy_bertcrf.corpora.byte_problems import ENCODING, INNER_MARK, NUL
from spacy_bertcrf.corpora.lines import sure_encoding
from spacy_bertcrf.corpora.reading import read_corpus
from spacy_bertcrf.corpora.sources import Source

HAN = (
    "".join(f"{char}\tO\n" for char in "江泽民主席发表新年讲话中国人民生活水平提高") + "北\tB-LOC\n"
)
GERMAN = "Frau\tO\nMüller\tB-PER\ngrüßt\tO\n„\tO\nKöln\tB-LOC\n"


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_packed_file_is_read_as_what_is_in_it(tmp_path, pack):
    """Else a corpus has to be unpacked first."""
    path = tmp_path / "corpus.txt.bz2"
    path.write_bytes(pack("中\tB-ORG\n".encode()))
    assert [doc.ents[0].label_ for doc in read_corpus(path).docs] == ["ORG"]
    assert Source(path).suffix == ".txt"
    path.write_bytes(pack(b"x" * 9999)[:-9])
    with pytest.raises(ValueError, match=r"corpus\.txt\.bz2 is a broken"):
        read_corpus(path)


@pytest.mark.parametrize(
    ("text", "encoding", "found"),
    [
        (HAN, "gbk", "gb18030"),
        (HAN, "utf-16", "utf-16"),
        (GERMAN.replace("„", '"'), "latin-1", "latin-1"),
        (GERMAN, "cp1252", "cp1252"),
        ("José\tB-PER\nañadió\tO\n¿\tO\n", "latin-1", "latin-1"),
        ("Võru\tB-LOC\nnäide\tO\nüks\tO\njõgi\tO\näär\tO\n", "latin-1", "latin-1"),
        ("Où\tO\nsûr\tO\nBesançon\tB-LOC\nprès\tO\n", "latin-1", "latin-1"),
    ],
)
def test_bytes_that_leave_no_doubt_are_read_and_told(tmp_path, text, encoding, found):
    """Else everybody with Kaggle's table, or CoNLL's Spanish, has to look up an option."""
    path = tmp_path / "corpus.txt"
    path.write_bytes(text.encode(encoding))
    corpus = read_corpus(path)
    assert [token.text for doc in corpus.docs for token in doc] == text.split()[::2]
    assert corpus.problems.notes[ENCODING].startswith(found)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Łódź\tB-LOC\nleży\tO\nbłąd\tO\n", "cp1250"),
        ("příklad\tO\nžluťoučký\tO\nČeše\tB-LOC\n", "cp1250"),
        ("İstanbul\tB-LOC\nışık\tO\nğ\tO\n", "cp1254"),
        ("Győr\tB-LOC\nszűk\tO\nútjain\tO\nvéget\tO\n", "iso8859-2"),
        ("Timişoara\tB-LOC\nmulţumesc\tO\n", "iso8859-2"),
        ("張\tB-PER\n三\tI-PER\n台\tB-LOC\n灣\tI-LOC\n", "big5"),
        ("김\tB-PER\n철\tI-PER\n서\tB-LOC\n울\tI-LOC\n", "cp949"),
        ("Москва\tB-LOC\nстолица\tO\n", "cp1251"),
        ("中\tB-LOC\n", "gbk"),
        ("東京\tB-LOC\nは首都です\tO\n" * 9, "shift-jis"),
        ("서울\tB-LOC\n수도입니다\tO\n" * 9, "cp949"),
    ],
)
def test_bytes_that_are_in_doubt_are_asked_for(tmp_path, text, encoding):
    """Else a reader that guesses makes other letters of the text, and trains on them; or advises
    whoever has another encoding to do so."""
    path = tmp_path / "corpus.txt"
    path.write_bytes(text.encode(encoding))
    with pytest.raises(ValueError, match="is not utf8") as error:
        read_corpus(path)
    said = str(error.value)
    if encoding == "gbk":
        return
    assert "can be read with" not in said
    assert encoding.replace("-", "_") in said.replace("-", "_")
    assert text.split()[0] in said


@pytest.mark.parametrize("text", [GERMAN, HAN, "„naïve“ café façade"])
@pytest.mark.parametrize("broken", [b"\xff", b"\xe4", b"\xc3"])
def test_utf_8_of_which_a_byte_is_broken_is_no_other_encoding(text, broken):
    """Else one bad byte turns every umlaut into two letters, in silence."""
    data = text.encode()
    for at in (0, len(data) // 2, len(data)):
        assert sure_encoding(data[:at] + broken + data[at:]) is None


def test_the_encoding_that_an_xml_file_declares():
    """Else a file that says how it is written is asked about."""
    data = '<?xml version="1.0" encoding="ISO-8859-2"?><p>Łódź</p>'.encode("iso-8859-2")
    assert sure_encoding(data) == "ISO-8859-2"


@pytest.mark.parametrize("encoding", ["utf-32", "utf-16"])
def test_wide_encodings_by_their_mark(tmp_path, encoding):
    """Else UTF-32, whose mark begins as UTF-16's, is read as letters with NULs between them."""
    path = tmp_path / "corpus.txt"
    path.write_bytes(GERMAN.encode(encoding))
    corpus = read_corpus(path)
    assert [token.text for doc in corpus.docs for token in doc] == GERMAN.split()[::2]
    assert corpus.problems.notes[ENCODING].startswith(encoding)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_no_text_has_is_told_with_its_line(end):
    """Else someone looks for it in the line before, or never hears of it far down a file."""
    lines = ["Eve\tB-PER", *["left\tO"] * 2000, "\ufeffAl\tB-PER", "ca\0me\tO", "home\tO", ""]
    problems = read_corpus(Source(Path("a.txt"), data=end.join(lines).encode())).problems
    assert [(of.kind, of.line) for of in problems][:2] == [(INNER_MARK, 2002), (NUL, 2003)]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\x28\xb5\x2f\xfd\x20\x05ABCDE", "zstd"),
        (b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", "a PDF"),
        (b"\x80\x04\x95\x1e\x00", "a pickle"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 12\n", "git lfs pull"),
    ],
)
def test_bytes_of_other_programs_are_named(data, what):
    """Else the mend that is offered is an --encoding for what is no text."""
    with pytest.raises(ValueError, match=what):
        read_corpus(Source(Path("train.txt"), data=data))
