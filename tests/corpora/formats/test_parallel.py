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
    path = folder(seq__in=WORDS * 20 + "Anna came\nBonn\n", seq__out=TAGS * 20 + "B-PER\n\n")
    export = read_path(path / "seq.in")
    assert export.problems == [("not as many tags as words", line) for line in (41, 42)]
    assert export.annotated[-3:] == [True, False, False]


@pytest.mark.parametrize("names", [("seq__in", "seq__out"), ("sentences__txt", "tags__txt")])
@pytest.mark.parametrize(
    ("words", "tags", "count"),
    [
        ("no tags here\n" + WORDS * 20, TAGS * 20, "41 lines and {} 40"),
        (WORDS * 20 + "one more\n", TAGS * 20, "41 lines and {} 40"),
        (WORDS * 9 + "it rained\n" + WORDS * 9, TAGS * 18, "37 lines and {} 36"),
        (WORDS * 20, "O O\n" + TAGS * 20, "40 lines and {} 41"),
        (WORDS * 20, TAGS * 20 + "\n\nO O\n", "40 lines and {} 43"),
    ],
)
def test_a_line_too_many(read_path, folder, names, words, tags, count):
    """Else from there on each sentence has the tags of another."""
    path = folder(**dict(zip(names, (words, tags), strict=True)), intent="fly\nrain\n")
    of_words, of_tags = (path / name.replace("__", ".") for name in names)
    said = f"{of_words.name} has {count.format(of_tags.name)}"
    for inputs in (path, of_words, of_tags):
        with pytest.raises(ValueError, match=said):
            read_path(inputs)
    with pytest.raises(ValueError, match=said):
        read_path(of_words, format="parallel")
    (path / "train.conll").write_text("Eve B-PER\nleft O\n")
    export = read_path(path)
    assert [doc.text for doc in export.docs] == ["Eve left"]
    assert len(export.problems) == 3


def test_blank_lines_at_the_end(read_path, folder):
    """Else an editor that adds one spoils the pair."""
    path = folder(seq__in=WORDS + "\n\n", seq__out=TAGS)
    assert read_path(path).entities == [ANNA, []]


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
