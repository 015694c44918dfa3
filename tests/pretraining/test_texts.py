"""Raw texts from files: what is read, and what is said of what cannot be."""

import gzip

import pytest
from spacy.lang.zh import Chinese
from spacy.tokens import DocBin

from spacy_bertcrf.pretraining import texts as texts_module
from spacy_bertcrf.pretraining.texts import Texts, find_files, is_held_out

LINES = ["我在北京。", "A line\u2028of English", "玩游戏"]


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return path

    return write


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_plain_and_compressed_files_and_docbins_read_alike(write, tmp_path, end):
    """A corpus would have to be converted first, or would read differently."""
    plain = write("a.txt", "\ufeff" + end.join(LINES) + end * 2)
    packed = write("a.txt.gz", gzip.compress(plain.read_bytes()))
    nlp = Chinese()
    docbin = tmp_path / "a.spacy"
    DocBin(docs=[nlp(line) for line in LINES]).to_disk(docbin)
    packed_docbin = write("b.spacy.gz", gzip.compress(docbin.read_bytes()))
    for path in (plain, packed, docbin, packed_docbin):
        texts = Texts([path])
        assert list(texts) == list(texts) == LINES, path
        assert not texts.problems


def test_globs_find_files_once_and_in_order(write, tmp_path):
    """A file that two patterns match would be read twice as often as the others."""
    paths = [write(f"news/{name}.txt", "x") for name in "ba"]
    write("news/notes.md", "x")
    found = find_files([str(tmp_path / "**" / "*.txt"), str(paths[0])])
    assert found == [paths[1], paths[0]]


@pytest.mark.parametrize(
    ("name", "message"),
    [("none.txt", "does not exist"), ("*.gz", "No file matches"), ("", "is a folder")],
)
def test_a_name_without_a_file_is_an_error(tmp_path, name, message):
    """A mistyped glob would train on less than the user thinks."""
    with pytest.raises(ValueError, match=message):
        find_files([str(tmp_path / name)])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "gbk.txt",
            "好\n坏\n".encode() + "汉字".encode("gbk"),
            r"gbk\.txt:3: byte 0xBA is not UTF",
        ),
        ("cut.txt", "好\n坏".encode()[:-1], r"cut\.txt:2: byte .* is not UTF-8"),
        ("image.png", b"ab\n\x89PNG\0\0", r"image\.png:2: "),
        ("zeros.bin", b"ab\n\0\0\n", r"zeros\.bin:2: a zero byte"),
        ("cut.gz", gzip.compress(b"abc" * 999, mtime=0)[:-9], r"cut\.gz is no whole gzip file"),
        ("no.gz", b"abc", r"no\.gz is no whole gzip file"),
        ("bad.spacy", b"no docbin", r"bad\.spacy is not a DocBin"),
        ("rows.jsonl.gz", b"{}", "bertcrf convert"),
    ],
)
def test_what_is_no_text_is_an_error_that_says_where(write, name, content, message):
    """Garbage would go into the vocabulary and the model, and nobody would notice."""
    with pytest.raises(ValueError, match=message):
        list(Texts([write(name, content)]))


def test_an_empty_file_is_reported(write):
    """An export that failed would be missing from the corpus in silence."""
    texts = Texts([write("empty.txt", " \n\n"), write("a.txt", "好")])
    assert list(texts) == list(texts) == ["好"]
    assert len(texts.problems) == 1
    assert "empty.txt" in texts.problems[0]


def test_a_very_long_line_is_read_in_parts_and_reported(write, monkeypatch):
    """A line as long as the file would have to be in memory whole."""
    monkeypatch.setattr(texts_module, "MAX_LINE_BYTES", 8)
    texts = Texts([write("long.txt", "一\n" + "汉字" * 9 + "\n短\n")])
    found = list(texts)
    assert found[0] == "一"
    assert "".join(found[1:-1]) == "汉字" * 9
    assert found[-1] == "短"
    assert max(map(len, found)) <= 4
    assert [problem.split(": ")[0] for problem in texts.problems] == [f"{texts.paths[0]}:2"]


def test_the_same_text_is_always_held_out_or_never():
    """A text that occurs twice would be learned and then measured."""
    texts = [f"text {i}" for i in range(2000)]
    held_out = [text for text in texts if is_held_out(text, 0.1)]
    assert 150 < len(held_out) < 250
    assert not any(is_held_out(text, 0.0) for text in texts)
    larger = {text for text in texts if is_held_out(text, 0.2)}
    assert larger.issuperset(held_out)
