import gzip
import json
import subprocess
import sys

import pytest
import spacy
from spacy.cli import app
from spacy.tokens import DocBin
from spacy.training import Corpus
from typer.testing import CliRunner

import spacy_bertcrf.cli  # noqa: F401  # registers the command
from spacy_bertcrf.pipeline.annotations import tag_targets
from spacy_bertcrf.tagging import TagSet

NLP = spacy.blank("zh")
GOOD = "中\tB-ORG\n共\tI-ORG\n。\tO\n\n张\tS-PER\n"


@pytest.fixture
def convert(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(content, *options, output="out.spacy"):
        (tmp_path / "in.txt").write_bytes(content.encode() if isinstance(content, str) else content)
        result = CliRunner().invoke(app, ["bertcrf", "convert", "in.txt", output, *options])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return run


def load(path):
    return list(DocBin().from_disk(path).get_docs(NLP.vocab))


def squeeze(output):
    return [" ".join(line.split()) for line in output.splitlines()]


def test_the_report_counts_what_is_written(convert, tmp_path):
    """Else the user cannot compare the corpus with what is published of it."""
    result = convert("中\tB-ORG\n共\tI-ORG\n。\tO\n\n张\tB-PER\n三\tB-PER\n", "--strict")
    assert result.exit_code == 0
    lines = squeeze(result.output)
    for line in ("documents 2", "tokens 5", "entities 3", "ORG 1", "PER 2"):
        assert line in lines
    assert "Tag scheme: BIO (detected; --scheme to change)" in lines
    docs = load(tmp_path / "out.spacy")
    assert [[(ent.text, ent.label_) for ent in doc.ents] for doc in docs] == [
        [("中共", "ORG")],
        [("张", "PER"), ("三", "PER")],
    ]


def test_problems_are_counted_and_shown_with_their_places(convert, tmp_path):
    """Else the user cannot find and mend them."""
    result = convert("I\tI-A\n\n" * 5 + "B\tB-A\n\nX\tY\n", "--scheme", "BIO")
    assert result.exit_code == 0
    assert len(load(tmp_path / "out.spacy")) == 7
    lines = squeeze(result.output)
    start = next(i for i, line in enumerate(lines) if line.startswith("entity without a beginning"))
    assert lines[start].startswith("entity without a beginning 1 in.txt:1 'I-A' at the start")
    start = next(i for i, line in enumerate(lines) if line.startswith("entity runs over"))
    assert lines[start].startswith("entity runs over a sentence break 4 in.txt:3 ")
    assert lines[start + 1].startswith("in.txt:5 ")
    assert "… and 1 more" in lines[start + 3]
    assert any(line.startswith("unknown tag 1 in.txt:13 'Y'") for line in lines)


def test_a_corpus_of_few_entities_is_not_without_a_word(convert):
    """Else the wrong column is read, and "No problems" is all that is said."""
    good = "中\tB-ORG\n共\tI-ORG\n。\tO\n\n"
    result = convert("中\tO\n\n" * 5 + good)
    assert "Most documents, 5 of 6, have no entity" in " ".join(squeeze(result.output))
    assert "No problems" not in result.output
    assert "No problems" in convert(good).output


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [
        "中\tI-A\n国\tI-A\n文\tB-A\n",
        "中\tB-A\n国\n",
        '{"text": "中国", "label": {"a": {"中国": [[0, 1]], "国": [[1, 1]]}}}\n',
        '{"text": "中国"}\n{"text":\n',
    ],
)
def test_strict_writes_nothing_where_there_is_a_problem(convert, tmp_path, content):
    """Else a broken corpus passes a pipeline that asked for a sound one."""
    options = [] if content.startswith("{") else ["--scheme", "BIO"]
    (tmp_path / "out.spacy").write_bytes(b"old")
    result = convert(content, "--strict", *options)
    assert result.exit_code == 1
    assert (tmp_path / "out.spacy").read_bytes() == b"old"
    assert "in.txt:" in result.output
    assert convert(content, *options).exit_code == 0
    assert load(tmp_path / "out.spacy")


def test_entities_inside_others_are_kept_under_a_key(convert, tmp_path):
    """Else a corpus for overlapping spans loses the inner ones on its way, or calls them wrong."""
    label = {"book": {"招行在永隆": [[0, 4]]}, "company": {"招行": [[0, 1]], "永隆": [[3, 4]]}}
    line = json.dumps({"text": "招行在永隆", "label": label}) + "\n"
    result = convert(line, "--strict", "--spans-key", "sc")
    assert result.exit_code == 0, result.output
    assert "Entities in doc.spans['sc']: 3" in squeeze(result.output)
    (doc,) = load(tmp_path / "out.spacy")
    assert [(ent.text, ent.label_) for ent in doc.ents] == [("招行在永隆", "book")]
    found = {(span.text, span.label_) for span in doc.spans["sc"]}
    assert found == {("招行在永隆", "book"), ("招行", "company"), ("永隆", "company")}
    assert convert(line, "--strict").exit_code == 1


@pytest.mark.slow
def test_split_writes_all_parts(convert, tmp_path):
    """Else a corpus without parts of its own cannot be trained on."""
    lines = "".join(json.dumps({"text": str(i), "label": {}}) + "\n" for i in range(100))
    runs = []
    for folder in ("a", "b"):
        result = convert(lines, "--split", "64/16/20", "--seed", "3", output=folder)
        assert result.exit_code == 0
        assert "documents 64 16 20" in squeeze(result.output)
        names = ("train", "dev", "test")
        runs.append([[d.text for d in load(tmp_path / folder / f"{n}.spacy")] for n in names])
    assert runs[0] == runs[1]
    assert sorted((text for part in runs[0] for text in part), key=int) == [
        str(i) for i in range(100)
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "options", "output", "message"),
    [
        (GOOD, [], "out.txt", "out.txt.spacy"),
        (GOOD, [], ".", "Name the file"),
        (GOOD, ["--split", "64/16/20"], "out.spacy", "folder for the parts"),
        (GOOD, ["--split", "64/16/20"], "in.txt", "folder for the parts"),
        (GOOD, ["--split", "64/16"], "parts", "sum to 100"),
        (GOOD, ["--split", "64/16/20"], "parts", "too few"),
        (GOOD, ["--scheme", "BIOX"], "out.spacy", "BIOES"),
        (GOOD, ["--lang", "no-such"], "out.spacy", "no-such"),
        (GOOD, ["--tag-column", "5"], "out.spacy", "no tag column 5"),
        (GOOD, ["--encoding", "ascii"], "out.spacy", "in.txt:1: byte 0"),
        (GOOD, ["--format", "cluener"], "out.spacy", "in.txt:1"),
        ("中\n国\n", [], "out.spacy", "1 column"),
        ("", [], "out.spacy", "no document"),
        ('{"text":', [], "out.spacy", "in.txt:1"),
        ("中\tB-ORG\n".encode("gbk"), [], "out.spacy", "--encoding gb18030"),
        (GOOD, [], "in.txt/out.spacy", "in.txt"),
    ],
)
def test_what_cannot_be_converted_is_refused_with_the_mend(
    convert, tmp_path, content, options, output, message
):
    """Else bad input ends in a traceback, or leaves something half written."""
    result = convert(content, *options, output=output)
    assert result.exit_code == 1
    assert message in " ".join(squeeze(result.output))
    assert "Nothing was written" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["in.txt"]


def test_a_missing_file_and_an_empty_folder_are_refused(convert, tmp_path):
    """Else a wrong path ends in a traceback."""
    convert(GOOD)
    (tmp_path / "empty").mkdir()
    for path, message in (("none.txt", "no file none.txt"), ("empty", "holds no file")):
        result = CliRunner().invoke(app, ["bertcrf", "convert", path, "new.spacy"])
        assert result.exit_code == 1
        assert message in result.output


def test_explain_shows_the_evidence_and_writes_nothing(convert, tmp_path):
    """Else a user of a file that no format reads has nothing to go on."""
    (tmp_path / "other.json").write_text('[{"data": {"x": 1}, "predictions": []}]')
    convert(GOOD)
    result = CliRunner().invoke(app, ["bertcrf", "convert", "in.txt", "other.json", "--explain"])
    assert result.exit_code == 0
    shown = " ".join(squeeze(result.output))
    assert "columns possible tokens in column 1 and tags in column 2 of 2" in shown
    assert "objects with the keys data, predictions; no annotation among them" in shown
    assert "cluener against" in shown
    assert {path.name for path in tmp_path.iterdir()} == {"in.txt", "other.json", "out.spacy"}


def test_explain_looks_at_the_files_that_convert_would_read(convert, tmp_path):
    """Else each text beside brat's annotation is explained as a table or as nothing."""
    convert(GOOD)
    (tmp_path / "brat" / "sub").mkdir(parents=True)
    for name in ("a", "b", "sub/c"):
        (tmp_path / "brat" / f"{name}.txt").write_text("Anna")
        (tmp_path / "brat" / f"{name}.ann").write_text("T1\tPER 0 4\tAnna\n")
    (tmp_path / "brat" / "annotation.conf").write_text("[entities]\n")
    for given, shown in [("brat", "brat/a.ann and 2 more: "), ("brat/a.txt", "brat/a.ann: ")]:
        result = CliRunner().invoke(app, ["bertcrf", "convert", given, "--explain"])
        assert shown in result.output
        assert "brat certain .ann beside a .txt" in " ".join(squeeze(result.output))
        assert ".conf" not in result.output


def test_a_folder_is_one_corpus_and_what_is_not_read_of_it_is_said(convert, tmp_path):
    """Else files of a folder are lost without a word, or one stray file stops the rest."""
    folder = tmp_path / "corpus"
    (folder / "below").mkdir(parents=True)
    (folder / "a.txt").write_text("中\tB-ORG\n", encoding="utf8")
    (folder / "below" / "b.json.gz").write_bytes(gzip.compress(b'{"text": "x", "label": {}}\n'))
    (folder / "notes.html").write_text("<html><p>no corpus")
    result = CliRunner().invoke(app, ["bertcrf", "convert", "corpus", "corpus/out.spacy"])
    assert result.exit_code == 0, result.output
    shown = " ".join(squeeze(result.output))
    assert "file that no format reads 1 corpus/notes.html" in shown
    assert "HTML" in shown
    assert len(load(folder / "out.spacy")) == 2
    again = CliRunner().invoke(app, ["bertcrf", "convert", "corpus/*", "corpus/out.spacy"])
    assert again.exit_code == 0, again.output
    assert len(load(folder / "out.spacy")) == 2


@pytest.mark.slow
def test_spacy_debug_data_accepts_the_result(convert, tmp_path):
    """Else the corpus that we call converted is refused at training."""
    sentences = [
        f"\u3000\tB-org.com\n中\tI-org.com\n \tI-org.com\n{i}\tB-org.com\n\ufe0f\tO\n"
        f"\ufffd\tB-PER\n\tI-PER\n\u2028\tO\n国\tO\n坏\n"
        for i in range(240)
    ]
    result = convert("\n".join(sentences), "--split", "50/50", output="parts")
    assert result.exit_code == 0
    init = ["init", "config", "config.cfg", "--lang", "zh", "--pipeline", "ner"]
    assert CliRunner().invoke(app, init).exit_code == 0
    paths = ["--paths.train", "parts/train.spacy", "--paths.dev", "parts/dev.spacy"]
    report = CliRunner().invoke(app, ["debug", "data", "config.cfg", *paths])
    assert report.exit_code == 0, report.output
    assert "No entities consisting of or starting/ending with whitespace" in report.output


@pytest.mark.slow
def test_the_command_runs_from_a_shell_that_knows_ascii_only(few_imports, tmp_path):
    """Else the report of a Chinese corpus ends in a traceback on such a machine."""
    (tmp_path / "in.txt").write_text("中\tB-电\n国\tI-话\n", encoding="utf8")
    command = [sys.executable, "-m", "spacy", "bertcrf", "convert", "in.txt", "out.spacy"]
    run = subprocess.run(
        command,
        cwd=tmp_path,
        env={"PYTHONIOENCODING": "ascii", **few_imports},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert "in.txt:2" in run.stdout
    assert load(tmp_path / "out.spacy")[0].text == "中国"


def test_texts_with_labels_are_detected_and_counted(convert, tmp_path):
    """The labels of all documents are in each, also where --split puts them elsewhere."""
    (tmp_path / "class.txt").write_text("天气\n体育\n财经\n", encoding="utf8")
    lines = [f'第{n}天"天气很好\t{n % 2}\n' for n in range(20)]
    result = convert("".join(lines), "--classes", "class.txt", "--split", "80/20", output="corpus")
    assert result.exit_code == 0
    shown = squeeze(result.output)
    assert "Format: text-label" in shown
    assert "categories 16 4" in shown
    assert any("No document of train.spacy is in: 财经" in line for line in shown)
    docs = load(tmp_path / "corpus" / "dev.spacy")
    assert [set(doc.cats) for doc in docs] == [{"天气", "体育", "财经"}] * 4
    assert all(sum(doc.cats.values()) == 1 for doc in docs)


def test_classes_are_for_texts(convert, tmp_path):
    """Else they would be left out without a word."""
    (tmp_path / "classes.txt").write_text("a\nb\n")
    result = convert(GOOD, "--classes", "classes.txt", "--format", "columns")
    assert result.exit_code == 1
    assert "--format csv-texts or label-text or text-label" in " ".join(squeeze(result.output))


@pytest.mark.parametrize("content", ["", "\n\n", "text\tlabel\n"])
def test_a_file_without_texts_writes_nothing(convert, tmp_path, content):
    assert convert(content, "--format", "text-label").exit_code == 1
    assert not (tmp_path / "out.spacy").exists()


@pytest.mark.parametrize("joining", [(), ("--sentences", "2")])
def test_labels_that_were_annotated_for_are_kept(convert, tmp_path, joining):
    """Else a corpus of persons, joined with one of places, would teach that there are none."""
    content = "张\tB-PER\n三\tI-PER\n在\tO\n沪\tO\n\n天\tO\n气\tO\n"
    result = convert(content, "--labels-annotated", "PER", *joining, "--strict")
    assert result.exit_code == 0, result.output
    tag_set = TagSet(["LOC", "PER"])
    rows = []
    for example in Corpus(tmp_path / "out.spacy")(NLP):
        targets = tag_targets([example], tag_set)
        rows += targets.allowed.tolist()
    free = [tag for tag in tag_set.tags if not tag.endswith("PER")]
    found = [[tag_set.tags[i] for i, may_be in enumerate(row) if may_be] for row in rows]
    assert found == [["B-PER"], ["E-PER"], *[free] * 4]


def test_entities_with_other_labels_than_the_annotated_ones_are_refused(convert, tmp_path):
    """Else what the user says of the corpus would contradict it."""
    result = convert("张\tB-PER\n\n沪\tB-LOC\n", "--labels-annotated", "PER", "--scheme", "BIO")
    assert result.exit_code == 1
    output = " ".join(result.output.split())
    assert "in.txt, line 3: '沪' has the label 'LOC'" in output
    assert not (tmp_path / "out.spacy").exists()
