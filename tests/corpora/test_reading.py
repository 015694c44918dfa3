import pytest

from spacy_bertcrf.corpora.reading import UNREAD_FILE, read_corpus
from spacy_bertcrf.corpora.summary import summarize


@pytest.fixture
def write(tmp_path):
    def write_file(text, encoding="utf8"):
        path = tmp_path / "corpus"
        path.write_bytes(text.encode(encoding))
        return path

    return write_file


@pytest.mark.parametrize(
    ("text", "format", "lang", "scheme"),
    [
        ('\ufeff\n{"text": "中"}', "cluener", "zh", None),
        (' { "text": broken\n{"text": "中"}', "cluener", "zh", None),
        ("中 O\n{ O", "columns", "zh", "BIO"),
        ("{ O\n中 O", "columns", "zh", "BIO"),
        ("EU I-ORG\nsays O", "columns", "en", "IO"),
        ("-DOCSTART- O\r\rEU I-ORG\rUS B-ORG\r", "columns", "en", "IOB1"),
    ],
)
def test_the_format_is_told_from_the_file(write, text, format, lang, scheme):
    """Else a user has to know names for what the file shows."""
    corpus = read_corpus(write(text))
    assert (corpus.format, corpus.lang, corpus.scheme) == (format, lang, scheme)


def test_what_is_given_is_not_guessed(write):
    """Else an option is ignored."""
    path = write("EU\tB-ORG\nUS\tB-ORG\n", "gb18030")
    corpus = read_corpus(path, "msra", encoding="gb18030")
    assert corpus.docs[0].text == "EUUS"
    corpus = read_corpus(path, "columns", lang="de", scheme="bioes")
    assert (corpus.lang, corpus.scheme) == ("de", "BIOES")
    assert len(corpus.problems) == 2


@pytest.mark.parametrize("encoding", ["gbk", "big5"])
def test_other_encodings(write, encoding):
    """Else corpora from before UTF-8 cannot be used."""
    corpus = read_corpus(write("中\tB-LOC\r\n文\tI-LOC\r\n", encoding), encoding=encoding)
    assert [entity.text for entity in corpus.docs[0].ents] == ["中文"]


@pytest.mark.parametrize(
    ("text", "options", "error"),
    [
        ("中 O", {"format": "tsv"}, ValueError),
        ("中 O", {"scheme": "BIOX"}, ValueError),
        ("中 O", {"lang": "no-such"}, ImportError),
        ('{"text": "中"}', {"lang": "no-such"}, ImportError),
        ('{"text": "中"}', {"scheme": "BIO"}, ValueError),
    ],
)
def test_options_that_do_not_fit_are_refused(write, text, options, error):
    """Else an option is ignored, or ends in a traceback."""
    with pytest.raises(error):
        read_corpus(write(text), **options)


@pytest.mark.parametrize("text", ["", "\n\n", "-DOCSTART- O\n\n"])
def test_an_empty_file_holds_no_documents(write, text):
    """Else an empty download fails somewhere later."""
    assert read_corpus(write(text)).docs == []


@pytest.mark.parametrize(
    "labels",
    [
        "O\nB-PER\nI-PER\nB-LOC\n",
        "B-LOC\nB-ORG\nB-PER\nI-LOC\nO\n",
        "X\nO\nB-PER\nI-PER\n[CLS]\n[SEP]\n",
        "O\t0\nB-PER\t1\nI-PER\t2\n",
        "0 O\n1 B-PER\n",
    ],
)
def test_a_list_of_tags_beside_a_corpus_has_no_text(tmp_path, labels):
    """Else every second tag becomes a document, with the next one as its entity."""
    (tmp_path / "train.txt").write_text("Eve B-PER\nleft O\n", encoding="utf8")
    (tmp_path / "labels.txt").write_text(labels, encoding="utf8")
    corpus = read_corpus(tmp_path)
    assert [doc.text for doc in corpus.docs] == ["Eve left"]
    assert [(found.kind, found.path.name) for found in corpus.problems] == [
        (UNREAD_FILE, "labels.txt")
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "documents", "entities", "problems"),
    [
        ("cluener/train.json", 10_748, 23_972, 2),
        ("cluener/dev.json", 1_343, 3_072, 0),
        ("msra/test.bio.txt", 3_442, 6_190, 0),
        ("conll2003/dev.txt", 3_250, 5_942, 0),
    ],
)
def test_real_corpora_keep_their_counts(real_data, name, documents, entities, problems):
    """Else results on them cannot be compared with anyone's."""
    corpus = read_corpus(real_data / "data" / name)
    summary = summarize(corpus.docs)
    assert summary.documents == documents
    assert summary.entities.total() == entities - problems
    assert len(corpus.problems) == problems
    assert not summary.missing
    assert not summary.unannotated
