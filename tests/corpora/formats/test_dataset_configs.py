"""Descriptions of data sets in which the classes of several configs have other names."""

import json

import pytest

ROW = {"tokens": ["Anna", "saw", "Bonn"], "ner_tags": [1, 0, 2]}
ANNA = [("Anna", "PER"), ("Bonn", "LOC")]
RIGHT, SWAPPED = ["O", "B-PER", "B-LOC"], ["O", "B-LOC", "B-PER"]


def feature(names):
    return {"tokens": {}, "ner_tags": {"feature": {"names": names, "_type": "ClassLabel"}}}


def as_readme(configs, files):
    """A README's front matter, which is YAML, as JSON is."""
    info = [{"config_name": name, "features": of} for name, of in configs.items()]
    data = [{"config_name": name, "data_files": of} for name, of in files.items()]
    return f"---\n{json.dumps({'dataset_info': info, 'configs': data})}\n---\n"


@pytest.fixture
def write(tmp_path):
    """Writes a file and, in the folder at the top, the configs of its data set."""

    def write_files(name, configs, files=None, row=ROW, readme=True):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(row))
        if readme:
            (tmp_path / "README.md").write_text(as_readme(configs, files or {}))
        else:
            found = {config: {"features": of} for config, of in configs.items()}
            (tmp_path / "dataset_infos.json").write_text(json.dumps(found))
        return path

    return write_files


@pytest.mark.parametrize("readme", [True, False])
@pytest.mark.parametrize(
    "name", ["xy-7/train.jsonl", "xy-7.jsonl", "xy-7-train.jsonl", "dev.XY-7.json"]
)
def test_the_config_that_the_data_is_named_after(write, read_path, name, readme):
    """Else every entity has the label that another config gives its number."""
    configs = {"xy": feature(SWAPPED), "xy-7": feature(RIGHT), "z": feature(SWAPPED)}
    export = read_path(write(name, configs, readme=readme))
    assert export.entities == [ANNA]
    assert "config xy-7" in export.notes["Names of the tags"]


@pytest.mark.parametrize(
    "files",
    [
        {"a": "other/*", "b": "data/train*"},
        {"a": [{"split": "train", "path": ["x.json"]}], "b": {"train": "./data/train.json"}},
    ],
)
def test_the_config_whose_files_match(write, read_path, files):
    """Else a README that says which files are whose is not asked."""
    path = write("data/train.json", {"a": feature(SWAPPED), "b": feature(RIGHT)}, files)
    assert read_path(path).entities == [ANNA]


@pytest.mark.parametrize(
    "other",
    [["O", "B-LOC"], {**feature(SWAPPED), "extra": {"dtype": "string"}}, feature(RIGHT), {}],
)
def test_the_config_that_alone_fits(write, read_path, other):
    """Else numbers that a config cannot have, columns that it does not have, or two configs with
    the same names are asked about."""
    other = feature(other) if isinstance(other, list) else other
    assert read_path(write("train.json", {"a": other, "b": feature(RIGHT)})).entities == [ANNA]


@pytest.mark.parametrize("readme", [True, False])
def test_configs_between_which_nothing_decides(write, read_path, readme):
    """Else the first config's names are those of all data."""
    path = write("train.json", {"a": feature(SWAPPED), "b": feature(RIGHT)}, readme=readme)
    with pytest.raises(ValueError, match=r"2 configs, .*\(a, b\).*--labels"):
        read_path(path)
    assert read_path(path, labels=RIGHT).entities == [ANNA]
