"""brat's folders, made by hand."""

import pytest

from spacy_bertcrf.corpora.documents import DISCONTINUOUS
from spacy_bertcrf.corpora.entities import NESTED
from spacy_bertcrf.corpora.formats.brat import LEFT_OUT, NOT_ANNOTATED, TRIGGERS
from spacy_bertcrf.corpora.json_values import BAD_LINE
from spacy_bertcrf.corpora.offsets import OTHER_SURFACE
from spacy_bertcrf.corpora.reading import UNREAD_FILE, CorpusReader

ANNA = "T1\tPER 0 4\tAnna\n"


@pytest.fixture
def folder(tmp_path):
    """Writes a folder of files, each by its name."""

    def write(**files):
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(text.encode())
        return tmp_path

    return write


def test_a_folder(read_path, folder):
    """Else settings beside the texts are read as texts, sub-folders are passed over, or texts are
    read apart from their annotation."""
    path = folder(
        a_txt="Anna met Bob.\n" * 300,
        a_ann=ANNA + "T2\tPER 9 12\tBob \n",
        sub__b_txt="Bonn",
        sub__b_ann="T1\tLOC 0 4\tBonn\n",
        annotation_conf="[entities]\nPER\n",
        visual_conf="[labels]\n",
    )
    export = read_path(path)
    assert export.format == "brat"
    assert export.entities == [[("Anna", "PER"), ("Bob", "PER")], [("Bonn", "LOC")]]
    assert export.problems == []


def test_what_else_a_folder_holds(read_path, folder):
    """Else one text with an .ann makes everything beside it vanish: other corpora, annotation whose
    text is missing, notes."""
    path = folder(
        a_txt="Anna",
        a_ann=ANNA,
        train_conll="Eve B-PER\nleft O\n",
        more__x_jsonl='{"text": "Al left.", "label": [[0, 2, "PER"]]}\n',
        more__train_txt="Bob B-PER\nleft O\n",
        lost_ann=ANNA,
        README_md="Nothing to read\n",
        annotation_conf="[entities]\nPER\n",
    )
    (path / ".hidden.txt").write_text("Eve B-PER\n")
    export = read_path(path)
    assert sorted(export.format.split(", ")) == ["brat", "columns", "doccano"]
    assert sorted(doc.text for doc in export.docs) == ["Al left.", "Anna", "Bob left", "Eve left"]
    assert all(export.entities)
    assert [(found.kind, found.path.name) for found in export.corpus.problems] == [
        (UNREAD_FILE, "README.md"),
        (UNREAD_FILE, "lost.ann"),
    ]


def test_columns_among_texts(read_path, folder):
    """Else a column file beside someone's .ann is a text without entities."""
    path = folder(a_txt="Anna", a_ann=ANNA, b_txt="It rains.", train_txt="Eve B-PER\nleft O\n")
    export = read_path(path)
    assert sorted(doc.text for doc in export.docs) == ["Anna", "Eve left", "It rains."]
    assert export.notes[NOT_ANNOTATED] == "1"
    assert len(read_path(path, format="brat").docs) == 3


@pytest.mark.parametrize("name", ["a.txt", "a.ann", "*"])
def test_one_text(read_path, folder, name):
    """Else whoever names the text gets it without its annotation, or with a glob twice."""
    path = folder(a_txt="Anna", a_ann=ANNA)
    export = read_path(path / name)
    assert export.entities == [[("Anna", "PER")]]
    both = read_path([path / "a.txt", path / "a.ann"])
    assert len(both.docs) == 1


def test_what_nobody_annotated(read_path, folder):
    """Else a text that nobody looked at is learned to have no entity, or one without entities is
    lost."""
    path = folder(a_txt="Anna", a_ann=ANNA, b_txt="nothing", b_ann="", c_txt="unseen")
    export = read_path(path)
    assert export.annotated == [True, True, False]
    assert export.notes[NOT_ANNOTATED] == "1"


@pytest.mark.parametrize(("start", "end"), [(18, 22), (16, 20)])
def test_line_ends_are_characters(read_path, folder, start, end):
    """Else all behind the first line of a file from Windows is moved; or, where a version control
    system changed the line ends, everything is refused."""
    annotation = f"T1\tLOC {start} {end}\tBonn\r\n"
    export = read_path(folder(a_txt="Anna\r\nmet\r\nBob in Bonn", a_ann=annotation))
    assert export.offsets == [[(18, 22, "LOC")]]


def test_javascript_positions(read_path, folder):
    """Else what was marked in a browser is a character off behind an emoji."""
    export = read_path(folder(a_txt="👍 Anna in Köln", a_ann="T1\tPER 3 7\tAnna\n"))
    assert export.entities == [[("Anna", "PER")]]
    assert "UTF-16" in export.evidence


def test_entities_in_pieces(read_path, folder):
    """Else "left lung" becomes "left", or "left and right lung"; and an entity over a line break,
    which brat parts in two as well, is lost."""
    text = "left and right lung\nof Anna\nMeier"
    annotation = "T1\tSite 0 4;15 19\tleft lung \nT2\tPER 23 27;28 33\tAnna Meier\n"
    export = read_path(folder(a_txt=text, a_ann=annotation))
    assert export.entities == [[("Anna\nMeier", "PER")]]
    assert export.problems == [(DISCONTINUOUS, 1)]
    assert export.unknown == [["left", "lung"]]


def test_events_and_the_rest(read_path, folder):
    """Else lines that are no entities are read as some, or lost without a word."""
    text = "Anna met Bob"
    annotation = (
        f"{ANNA}T2\tMeet 5 8\tmet\nT3\tPER 9 12\tBob\nE1\tMeet:T2 Who:T1 Whom:T3\n"
        "R1\tKnows Arg1:T1 Arg2:T3\nA1\tNegated E1\n*\tEquiv T1 T3\n#1\tAnnotatorNotes T1\t?\n"
        "N1\tReference T1 Wikipedia:1\tAnna\n"
    )
    export = read_path(folder(a_txt=text, a_ann=annotation))
    assert len(export.entities[0]) == 3
    kinds = ("events", "relations", "attributes", "equivalences", "notes", "normalisations")
    assert export.notes == {TRIGGERS: "1", **{f"{LEFT_OUT}: {kind}": "1" for kind in kinds}}
    assert export.problems == []


def test_bionlp(read_path, folder):
    """Else half of a shared task's annotation is lost."""
    path = folder(a_txt="Anna met", a_a1=ANNA, a_a2="T2\tMeet 5 8\tmet\nE1\tMeet:T2\n")
    assert read_path(path).entities == [[("Anna", "PER"), ("met", "Meet")]]


def test_what_is_wrong_is_told(read_path, folder):
    """Else a line that a person wrote is lost in silence, or named in the wrong file."""
    lines = ("T1 PER 0 4 Anna", "T2\tPER 9 12\tMax", "T3\tLOC 16", "", "T4\tLOC 16 20\tKöln")
    annotation = "\n".join([*lines, "T5\tX 9 20\tBob in", "Köln"])
    path = folder(a_txt="Anna met Bob in Köln", a_ann=annotation)
    export = read_path(path / "a.txt")
    assert export.entities == [[("Anna", "PER"), ("Bob in Köln", "X")]]
    assert export.problems == [(BAD_LINE, 3), (OTHER_SURFACE, 2), (NESTED, 5)]
    assert {problem.path.name for problem in export.corpus.problems} == {"a.ann"}
    # What T3 was may be anywhere.
    assert export.unknown == [["met"]]


def test_a_text_alone_is_no_brat(folder):
    """Else a column file beside someone's .ann is read without its tags."""
    path = folder(a_txt="Anna", a_ann=ANNA, train_txt="Anna B-PER\nmet O\n")
    assert CorpusReader([path / "train.txt"]).format == "columns"
