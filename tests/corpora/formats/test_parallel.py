"""Words in one file, their tags in another; invented."""

import pytest

WORDS = "Anna Lee saw Bonn\nit rained\n"
TAGS = "B-PER I-PER O B-LOC\nO O\n"
ANNA = [("Anna Lee", "PER"), ("Bonn", "LOC")]


@pytest.fixture
def folder(tmp_path):
    def write(**files):
        for name, text in files.items():
            (tmp_path / name.replace("__", ".")).write_text(text, encoding="utf8")
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("words", "tags"),
    [
        ("seq__in", "seq__out"),
        ("source_BIO_x__txt", "target_BIO_x__txt"),
        ("train__words__txt", "train__tags__txt"),
        ("sentences__txt", "labels__txt"),
        ("Train_Text__txt", "Train_Label__txt"),
    ],
)
def test_either_file_or_their_folder_is_named(read_path, folder, words, tags):
    """Else the words are plain text, or the tags are."""
    path = folder(**{words: WORDS, tags: TAGS, "vocab__txt": "Anna\nLee\n"})
    for name in (words, tags):
        export = read_path(path / name.replace("__", "."))
        assert export.format == "parallel"
        assert export.entities == [ANNA, []]
        assert export.problems == []
    whole = read_path(path)
    assert whole.entities == [ANNA, []]
    assert whole.problems == [("file that no format reads", 0)]
    assert read_path(path, format="parallel").problems == []


def test_lines_that_do_not_agree(read_path, folder):
    """Else all tags behind the missing one move by a word, or by a line."""
    path = folder(seq__in=WORDS * 20 + "Anna came\nBonn\n", seq__out=TAGS * 20 + "B-PER\n")
    export = read_path(path / "seq.in")
    assert export.problems == [("not as many tags as words", line) for line in (41, 42)]
    assert export.annotated[-3:] == [True, False, False]


@pytest.mark.parametrize("tags", [TAGS, "O B-PER\nB-PER O\nO O\n", "O O B-LOC\n\nO B-PER\nO O\n"])
def test_tags_without_their_words_are_said_to_be(read_path, folder, tags):
    """Else the user hears that a file of tags is plain text, or gets documents of tags."""
    path = folder(target__txt=tags)
    with pytest.raises(ValueError, match=r"tags without their words.*source for target"):
        read_path(path / "target.txt")


def test_files_that_do_not_belong_together(read_path, folder):
    """Else labels of texts, or a translation, are tags of their words."""
    path = folder(text__txt="good film\nbad one\n", label__txt="pos x\nneg y\n", source__txt=WORDS)
    (path / "target.txt").write_text("Anna Lee sah Bonn\nes regnete\n")
    for name in ("text.txt", "source.txt"):
        with pytest.raises(ValueError, match="no format fits"):
            read_path(path / name)
