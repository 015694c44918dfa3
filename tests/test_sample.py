"""The sample corpus that ships: without it a new user's first run has nothing true to train on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parents[1] / "assets" / "sample"
SPLITS = {"train": 2400, "dev": 400, "test": 600}
LABELS = {
    *("address", "book", "company", "game", "government"),
    *("movie", "name", "organization", "position", "scene"),
}


def read(split):
    lines = (SAMPLE / f"{split}.json").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def entities(row):
    return sorted(
        (start, end, label, surface)
        for label, surfaces in row["label"].items()
        for surface, offsets in surfaces.items()
        for start, end in offsets
    )


def test_the_script_writes_the_shipped_files_again(tmp_path):
    """Nobody could say where the corpus comes from, or mend a frame without new noise."""
    script = SAMPLE / "generate.py"
    subprocess.run([sys.executable, "-B", script, tmp_path], check=True, capture_output=True)
    for split in SPLITS:
        name = f"{split}.json"
        assert (tmp_path / name).read_bytes() == (SAMPLE / name).read_bytes(), name


@pytest.mark.parametrize("split", SPLITS)
def test_offsets_give_the_surface_and_no_two_entities_meet(split):
    """The converter would report problems in the one corpus that should have none."""
    rows = read(split)
    assert len(rows) == SPLITS[split]
    for row in rows:
        assert set(row) == {"text", "label"}
        last = -1
        for start, end, _, surface in entities(row):
            assert last < start <= end
            assert row["text"][start : end + 1] == surface
            last = end
    assert {label for row in rows for label in row["label"]} == LABELS


@pytest.mark.parametrize("split", SPLITS)
def test_no_entity_ends_inside_a_latin_word(split):
    """BERT's tokenizer does not split such a word there, so the entity could not be learned."""
    for row in read(split):
        text = row["text"]
        for start, end, _, _ in entities(row):
            for left, right in ((start - 1, start), (end, end + 1)):
                inside = left >= 0 and right < len(text)
                joined = inside and (text[left] + text[right]).encode().isalnum()
                assert not joined, text


def test_no_text_of_dev_or_test_is_in_train():
    """The test score would measure memory."""
    texts = [row["text"] for split in SPLITS for row in read(split)]
    assert len(texts) == len(set(texts))


@pytest.mark.parametrize("split", ["dev", "test"])
def test_names_are_mostly_unseen_in_train(split):
    """The test score would measure a list of names."""
    seen = {name for row in read("train") for _, _, _, name in entities(row)}
    names = {name for row in read(split) for _, _, _, name in entities(row)}
    assert len(names - seen) / len(names) > 0.8


def test_the_hard_cases_are_there():
    """A sample of easy sentences would hide a model that ignores the context."""
    rows = read("test")
    labels: dict[str, set[str]] = {}
    for row in rows:
        for _, _, label, surface in entities(row):
            labels.setdefault(surface, set()).add(label)
    assert sum(len(found) > 1 for found in labels.values()) >= 30
    assert 0.10 <= sum(not row["label"] for row in rows) / len(rows) <= 0.15
    several = [o for row in rows for s in row["label"].values() for o in s.values() if len(o) > 1]
    assert several
    lengths = [len(row["text"]) for row in rows]
    assert min(lengths) <= 8
    assert max(lengths) >= 50
