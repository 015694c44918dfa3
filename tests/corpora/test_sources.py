import bz2
import gzip
import lzma

import pytest

from spacy_bertcrf.corpora.lines import sure_encoding
from spacy_bertcrf.corpora.reading import ENCODING, read_corpus
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
