"""`python -m spacy bertcrf extend-vocab`, from a list of words to a model."""

import pytest
from spacy.cli import app
from transformers import AutoTokenizer
from typer.testing import CliRunner

import spacy_bertcrf.cli  # noqa: F401  # registers the command


@pytest.fixture
def run():
    def run(*args):
        result = CliRunner().invoke(app, ["bertcrf", "extend-vocab", *map(str, args)])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.exit_code, " ".join(result.output.split())

    return run


def test_the_words_are_in_and_the_report_says_what_it_brings(run, tiny_bert, tmp_path):
    """The user learns whether the words were worth it, and which were not new."""
    words = tmp_path / "words.txt"
    words.write_text("北京大学\r\n\r\n广州\n北京大学\n在\n", encoding="utf-8")
    (tmp_path / "text.txt").write_text("我在北京大学，他在广州\n", encoding="utf-8")
    code, said = run(tiny_bert, "--words", words, "--output", tmp_path / "out",
                     "--text", tmp_path / "*ext.txt")  # fmt: skip
    assert code == 0, said
    assert "New wordpieces: 2 in rows of [unusedN]: 0 in other rows: 2" in said
    assert "Wordpieces already: 1 (在)" in said
    assert "Given twice: 1 (北京大学" in said
    assert "words.txt:4)" in said.replace("\n", "")
    assert "characters of the text: 100.0 before, 63.6 now" in said
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert len(tokenizer("北京大学广州", add_special_tokens=False)["input_ids"]) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no word"),
        (b"\n \n", "holds no word"),
        ("好\n".encode() + "汉字".encode("gbk"), "words.txt:2: byte"),
        (b"good\nP\x00\x01\x02\n", "words.txt:2: a control character"),
        ("好\n".encode() + b"x" * 500_000, "words.txt:2: 'xxx"),
        (None, "There is no file"),
    ],
)
def test_what_is_no_list_of_words_is_an_error(run, tiny_bert, tmp_path, content, message):
    """Bytes of a spreadsheet would become wordpieces."""
    words = tmp_path / "words.txt"
    if content is not None:
        words.write_bytes(content)
    before = list(tmp_path.iterdir())
    code, said = run(tiny_bert, "--words", words, "--output", tmp_path / "out")
    assert code == 1
    assert message in said
    assert list(tmp_path.iterdir()) == before
