import pytest

from spacy_bertcrf.corpora.lines import read_lines


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("final", [True, False])
@pytest.mark.parametrize("encoding", ["utf8", "utf-8-sig", "gb18030", "utf-16"])
def test_line_ends_marks_and_encodings_leave_the_lines_alone(tmp_path, end, final, encoding):
    """Else a file saved on another system would read differently."""
    lines = ["中\tB-ORG", "", "\u3000\tO", "\u2028\x85\x0b\x0c\x1c\u00a0\tO", "末\tO"]
    path = tmp_path / "corpus.txt"
    path.write_bytes((end.join(lines) + end * final).encode(encoding))
    assert read_lines(path, "utf8" if encoding == "utf-8-sig" else encoding) == lines


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf"])
def test_an_empty_file_has_no_lines(tmp_path, content):
    """Else an empty file would count as one empty sentence."""
    path = tmp_path / "corpus.txt"
    path.write_bytes(content)
    assert read_lines(path) == []


def test_a_wrong_encoding_is_named_with_its_place_and_the_mend(tmp_path):
    """Else the user of a GBK file sees a traceback or mojibake."""
    path = tmp_path / "gbk.txt"
    path.write_bytes("a O\r\n中 O\r\n".encode("gbk"))
    with pytest.raises(ValueError, match=r"gbk\.txt:2: byte 5 \(0xD6\).*--encoding gb18030"):
        read_lines(path)
    path.write_bytes("中 O\n".encode("utf-16"))
    with pytest.raises(ValueError, match=r"gbk\.txt:1: byte 0.*--encoding utf-16"):
        read_lines(path)
    path.write_bytes("中\n国 O\n".encode())
    with pytest.raises(ValueError, match=r"not gbk\. .*--encoding utf8"):
        read_lines(path, "gbk")
    path.write_bytes(b"a\n\xff\xff")
    with pytest.raises(ValueError, match=r":2: byte 2 .*Name its encoding"):
        read_lines(path)


@pytest.mark.parametrize(
    ("text", "encoding", "advised"),
    [
        ("Müller\tB-PER\nwohnt\tO\nin\tO\nKöln\tB-LOC\n", "latin-1", "latin-1"),
        ("naïve „Gänsefüßchen“ O\n" * 5, "cp1252", "cp1252"),
        ("中共中央致中国致公党十一大的贺词 O\n", "gbk", "gb18030"),
        ("江泽民\tB-PER\n发表\tO\n、\tO\n", "gb18030", "gb18030"),
        ("Москва\tB-LOC\nстолица\tO\n", "cp1251", None),
        ("Αθήνα\tB-LOC\nπρωτεύουσα\tO\n", "iso8859-7", None),
    ],
)
def test_the_encoding_that_is_advised_gives_the_text(tmp_path, text, encoding, advised):
    """Else a user who follows the advice gets "M黮ler", and no word of it."""
    path = tmp_path / "corpus.txt"
    path.write_bytes(text.encode(encoding))
    with pytest.raises(ValueError, match="not utf8") as error:
        read_lines(path)
    assert ("can be read with" in str(error.value)) == (advised is not None)
    if advised:
        assert f"--encoding {advised}." in str(error.value)
        assert "\n".join(read_lines(path, advised)) + "\n" == text


def test_one_byte_among_utf_8(tmp_path):
    """Else whoever follows the advice turns every umlaut of the file into two letters."""
    path = tmp_path / "corpus.txt"
    path.write_bytes("Müller grüßt Köln\n".encode() * 3 + b"K\xf6ln\n")
    with pytest.raises(ValueError, match=r":4: byte 67 .* Nearly all of the file is utf8"):
        read_lines(path)


@pytest.mark.parametrize("encoding", ["no-such", "hex"])
def test_an_encoding_that_does_not_exist_is_refused(tmp_path, encoding):
    """Else a typo in --encoding ends in a traceback."""
    path = tmp_path / "corpus.txt"
    path.write_bytes(b"a O\n")
    with pytest.raises(ValueError, match="no text encoding"):
        read_lines(path, encoding)


def test_what_is_no_file_is_refused(tmp_path):
    """Else a wrong path ends in a traceback."""
    with pytest.raises(ValueError, match="no file"):
        read_lines(tmp_path / "none.txt")
    with pytest.raises(ValueError, match="is a folder"):
        read_lines(tmp_path)
