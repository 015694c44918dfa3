"""CCKS's clinical records, invented."""

import pytest

from spacy_bertcrf.corpora.formats.ccks import NOT_ANNOTATED
from spacy_bertcrf.corpora.json_values import BAD_LINE

TEXT = "患者因咳嗽、发热行胸部CT检查。\r\n无头 痛。"
ENTITIES = [("咳嗽", 3, "症状"), ("发热", 6, "症状"), ("胸部CT", 9, "检查"), ("头 痛", 19, "症状")]


@pytest.fixture
def write(tmp_path):
    """Writes a text and the lines of its annotation, whose ends may be inclusive."""

    def write(name, text=TEXT, entities=ENTITIES, inclusive=True, more=""):
        (tmp_path / f"{name}.txtoriginal.txt").write_bytes(text.encode())
        lines = [
            f"{surface}\t{start}\t{start + len(surface) - inclusive}\t{label}\n"
            for surface, start, label in entities
        ]
        (tmp_path / f"{name}.txt").write_text("".join(lines) + more, encoding="utf-8")
        return tmp_path

    return write


@pytest.mark.parametrize("inclusive", [True, False])
def test_a_folder(read_path, write, inclusive):
    """Else a table without its text is read, or the text twice; and the two years count their ends
    in two ways."""
    write("一般项目-1", inclusive=inclusive)
    folder = write("一般项目-2", "无不适。", [])
    (folder / "一般项目-3.txtoriginal.txt").write_text("未标注。", encoding="utf-8")
    export = read_path(folder)
    assert export.format == "ccks"
    expected = [(surface, label) for surface, _, label in ENTITIES]
    assert export.entities == [expected, [], []]
    assert [doc.user_data["key"] for doc in export.docs] == [f"一般项目-{i}" for i in (1, 2, 3)]
    assert [doc.has_annotation("ENT_IOB") for doc in export.docs] == [True, True, False]
    assert export.docs[0].text == TEXT
    assert export.notes[NOT_ANNOTATED] == "1"
    assert export.problems == []


@pytest.mark.parametrize("name", ["a.txt", "a.txtoriginal.txt", "*"])
def test_one_text(read_path, write, name):
    """Whoever names one of the two means both."""
    assert len(read_path(write("a") / name).entities[0]) == len(ENTITIES)


def test_a_line_that_is_no_entity_is_told(read_path, write):
    """And its text does not count as looked through."""
    folder = write("a", more="心悸 三 四 症状\n")
    export = read_path(folder / "a.txt")
    assert [(problem[0], problem[1]) for problem in export.problems] == [(BAD_LINE, 5)]
    assert len(export.entities[0]) == len(ENTITIES)
    assert export.docs[0][0].ent_iob_ == ""


def test_the_text_must_be_there(read_path, write):
    folder = write("a")
    (folder / "a.txtoriginal.txt").unlink()
    with pytest.raises(ValueError, match=r"no a\.txtoriginal\.txt beside"):
        read_path(folder / "a.txt", format="ccks")
