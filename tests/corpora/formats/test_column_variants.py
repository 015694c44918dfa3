"""Good column files, written as people write them: read rightly, or refused with what to do."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_bertcrf.corpora.formats.columns import LABEL_LIKE_TAG, MOSTLY_REPAIRED
from spacy_bertcrf.corpora.reading import read_corpus
from spacy_bertcrf.corpora.sources import Source
from spacy_bertcrf.tagging import TagSet

WORDS = ["Anna", "lives", "in", "Köln", ".", "#", "3", "der", "Main-Taunus-Kreis", "NP", "张"]
LABELS = ["PER", "LOC", "product-name"]


def read(text, **options):
    source = Source(Path("corpus.txt"), data=text.encode())
    return read_corpus(source, lang="en", **options)


def found(corpus):
    """Words and entities of each sentence."""
    return [
        ([token.text for token in doc], [(ent.start, ent.end, ent.label_) for ent in doc.ents])
        for doc in corpus.docs
    ]


@st.composite
def corpora(draw, schemes=("BIO", "BIOES")):
    """Sentences of words and tags, with at least one entity of two words: fewer would leave open
    how the tags are written."""
    scheme = draw(st.sampled_from(schemes))
    sentences = [(["Anna", "Maria", "Meier", "lives"], [(0, 3, "PER")])]
    for _ in range(draw(st.integers(1, 4))):
        words = draw(st.lists(st.sampled_from(WORDS), min_size=2, max_size=8))
        spans, at = [], draw(st.integers(0, 2))
        while at < len(words):
            end = min(len(words), at + draw(st.integers(1, 3)))
            spans.append((at, end, draw(st.sampled_from(LABELS))))
            at = end + draw(st.integers(0, 3))
        sentences.append((words, spans))
    order = draw(st.permutations(sentences))
    return scheme, order


def rows_of(corpus):
    """For each sentence its words and tags, side by side."""
    scheme, sentences = corpus
    tags = TagSet(LABELS, scheme)
    return [
        [
            (word, tags.tags[tag])
            for word, tag in zip(words, tags.encode(spans, len(words)), strict=True)
        ]
        for words, spans in sentences
    ]


def write(rows, separator="\t"):
    return "\n".join("".join(separator.join(row) + "\n" for row in rows) for rows in rows)


def turned(tag, form, outside="O"):
    if tag == "O":
        return outside
    letter, label = tag.split("-", 1)
    return form.format(letter=letter, small=letter.lower(), label=label)


FORMS = [
    "{letter}_{label}",
    "{letter}:{label}",
    "{letter}#{label}",
    "{label}-{letter}",
    "{label}_{letter}",
    "{label}:{letter}",
    "{small}-{label}",
    "{small}_{label}",
    "{label}-{small}",
]


@pytest.mark.slow
@settings(deadline=None)
@given(corpora(), st.sampled_from(FORMS), st.sampled_from(["O", "o", "0", "_", "OTHER", "-"]))
def test_letters_may_stand_behind_or_be_small_and_outside_be_other_than_o(corpus, form, outside):
    """Else tags become labels, and everything outside becomes missing or an entity."""
    rows = [[(word, turned(tag, form, outside)) for word, tag in row] for row in rows_of(corpus)]
    read_back = read(write(rows))
    assert found(read_back) == corpus[1]
    assert not read_back.problems
    assert all(token.ent_iob for doc in read_back.docs for token in doc)


@pytest.mark.slow
@settings(deadline=None)
@given(corpora(), st.sampled_from(["{letter}", "{small}"]), st.sampled_from(["O", "o", "_"]))
def test_tags_without_a_label_get_that_of_the_option_or_are_refused(corpus, form, outside):
    """Else there are labels "B" and "I", and an entity of three words is in two pieces."""
    rows = [[(word, turned(tag, form, outside)) for word, tag in row] for row in rows_of(corpus)]
    with pytest.raises(ValueError, match="--label"):
        read(write(rows))
    wanted = [(words, [(start, end, "X") for start, end, _ in spans]) for words, spans in corpus[1]]
    assert found(read(write(rows), label="X")) == wanted


@pytest.mark.slow
@settings(deadline=None)
@given(
    corpora(),
    st.lists(st.sampled_from(["number", "empty", "id"]), unique=True),
    st.sampled_from(["", "\t", "\t\t", "\t-", "\tannotator1"]),
    st.booleans(),
)
def test_columns_of_token_and_tag_are_found_by_what_they_hold(corpus, before, behind, tag_first):
    """Else tokens are "1", "2", "3", or a tab at each line's end takes every tag."""
    rows = []
    for n, row in enumerate(rows_of(corpus)):
        columns = {"empty": "", "id": f"s{n}"}
        rows.append([])
        for i, (word, tag) in enumerate(row):
            first = [columns.get(name, str(i + 1)) for name in before]
            pair = [tag, word] if tag_first and behind in ("", "\t") else [word, tag]
            rows[-1].append([*first, *pair, *behind.split("\t")[1:]])
    read_back = read(write(rows))
    assert found(read_back) == corpus[1]
    assert not read_back.problems


@pytest.mark.slow
@settings(deadline=None)
@given(corpora(), st.booleans())
def test_a_last_column_without_an_entity_gives_way(corpus, is_inner):
    """Else GermEval's inner level, which is mostly empty, is read for the outer one."""
    rows = [
        [(str(i), word, tag, "O") for i, (word, tag) in enumerate(row, start=1)]
        for row in rows_of(corpus)
    ]
    if is_inner:
        rows += [[("1", "Kölner", "B-LOC", "O"), ("2", "Dom", "I-LOC", "O")]] * 5
        rows.append([("1", "Kölner", "B-LOC", "B-LOC"), ("2", "Dom", "I-LOC", "O")])
    read_back = read(write(rows), format="columns")
    assert found(read_back)[: len(corpus[1])] == corpus[1]
    assert "column 3" in read_back.problems.notes["Columns"]


@pytest.mark.slow
@settings(deadline=None)
@given(corpora(), st.sampled_from(["\t", " "]), st.integers(2, 4))
def test_comments_with_as_many_columns_as_tokens_are_no_tokens(corpus, separator, width):
    """Else "#" becomes a token and the value of the comment an entity."""
    filler = ["x"] * (width - 2)
    comments = {
        2: ["# text", "#\thttp://example.org", "# Köln"],
        3: ["# text =", "# key= value", "# id 17"],
        4: ["# text = (Lørdag", "# sent_id = 4", "# a b c"],
    }[width]
    if separator == "\t" and width > 2:
        comments = ["# text = (Lørdag aften)", *comments]
    text = ""
    for i, row in enumerate(rows_of(corpus)):
        text += comments[i % len(comments)] + "\n"
        text += write([[(word, *filler, tag) for word, tag in row]], separator) + "\n"
    read_back = read(text)
    assert found(read_back) == corpus[1]
    assert not read_back.problems


@pytest.mark.slow
@settings(deadline=None)
@given(corpora())
def test_joined_files_and_cr_line_ends_are_read(corpus):
    """Else a byte-order mark becomes part of an entity."""
    text = write(rows_of(corpus))
    read_back = read("\ufeff" + text + "\n\ufeff" + text.replace("\n", "\r\n"))
    assert found(read_back) == corpus[1] * 2
    assert [problem.kind for problem in read_back.problems] == ["byte-order mark inside the file"]


@pytest.mark.slow
@settings(deadline=None)
@given(corpora())
def test_numbered_tags_need_their_names(corpus):
    """Else labels are "1" and "2", or CoNLL's order is guessed."""
    tags = TagSet(LABELS, corpus[0]).tags
    rows = [[(word, str(tags.index(tag))) for word, tag in row] for row in rows_of(corpus)]
    with pytest.raises(ValueError, match="--labels"):
        read(write(rows))
    assert found(read(write(rows), labels=tags)) == corpus[1]


def test_two_columns_of_the_same_labels_are_asked_for():
    """Else predictions are read for the gold standard, or the other way round."""
    text = "Anna NE B-PER B-PER\nin P O O\nKöln NE B-LOC B-PER\n"
    with pytest.raises(ValueError, match="--tag-column 3 or 4"):
        read(text, format="columns")
    assert found(read(text, tag_column=3))[0][1] == [(0, 1, "PER"), (2, 3, "LOC")]


def test_chunks_are_no_entities():
    """Else the phrases of a test set without its tags become entities."""
    corpus = read("EU NNP B-NP O\nrejects VBZ B-VP O\nthe DT B-NP O\ncall NN I-NP O\n")
    assert found(corpus) == [(["EU", "rejects", "the", "call"], [])]


def test_numbers_for_tokens_are_refused():
    """Else a model learns from "1 2 3"."""
    text = "".join(f"{i}\tO\n" for i in range(10)) + "10\tB-A\n"
    with pytest.raises(ValueError, match="--token-column"):
        read(text, format="columns")
    assert len(read(text, token_column=1).docs[0]) == 11


def test_a_header_is_no_token():
    """Else the first sentence begins with the words "token" and "tag"."""
    corpus = read("token\tner\nAnna\tB-PER\nsang\tO\n\nAnna\tB-PER\n")
    assert found(corpus) == [(["Anna", "sang"], [(0, 1, "PER")]), (["Anna"], [(0, 1, "PER")])]


def test_a_scheme_that_does_not_fit_is_said_first():
    """Else a report of thousands of repairs hides that the scheme was wrong."""
    corpus = read("Anna\tI-PER\n\n" * 20, scheme="BIO")
    assert next(iter(corpus.problems.by_kind())) == MOSTLY_REPAIRED


def test_labels_that_look_like_tags_are_said():
    """Else "B-ORG|B-LOC" or a mixed style goes unseen."""
    text = "a\tPER-B\nb\tPER-I\nc\tLOC\nd\tLOC\ne\tO\n"
    corpus = read(text, format="columns", scheme="IO")
    assert {problem.kind for problem in corpus.problems} == {LABEL_LIKE_TAG}


@pytest.mark.parametrize("apart", ["\t", " "])
def test_a_language_before_each_token(read, apart):
    """Else every word of WikiANN begins with en: where its columns are apart by spaces."""
    lines = ["en:Anna B-PER", "en:met O", "en:: O", "", "en:R.H. B-PER", "en:Lee I-PER"]
    export = read("\n".join(lines).replace(" ", apart), name="train")
    assert export.entities == [[("Anna", "PER")], [("R.H. Lee", "PER")]]
    assert export.docs[0].text == "Anna met :"


def test_a_document_mark_without_its_second_hyphen(read):
    """Else the marks of Polish corpora are words."""
    lines = ["-DOCSTART FILE ./a", "Anna\tAnna\tN\tB-PER", "spi\tspać\tV\tO", ""]
    lines += ["-DOCSTART FILE ./b", "Ewa\tEwa\tN\tB-PER"]
    export = read("\n".join(lines), name="a.iob")
    assert export.entities == [[("Anna", "PER")], [("Ewa", "PER")]]
    assert export.problems == []


def written(how):
    """Tags, written so."""
    tags = ["B-PER", "I-PER", "O", "B-LOC", "O", "B-PER", "O"]
    words = ["Anna", "Lee", "in", "Bonn", "with", "Bob", "."]
    return "\n".join(f"{word}\t{how(tag)}" for word, tag in zip(words, tags, strict=True)) + "\n\n"


@pytest.mark.parametrize("apart", ["", ":", "/"])
def test_what_parts_letter_and_label(read, apart):
    """Else BPER and IPER are two labels, where one label has names of a single word alone."""
    export = read(written(lambda tag: tag.replace("-", apart)) * 3, name="a.txt")
    assert export.entities == [[("Anna Lee", "PER"), ("Bonn", "LOC"), ("Bob", "PER")]] * 3


@pytest.mark.parametrize("how", ["{}-{}", "{1}-{0}"])
def test_words_for_letters_are_told(read, how):
    """Else nobody hears that one name is two labels."""
    words = {"B": "begin", "I": "inside"}
    text = written(lambda tag: how.format(words[tag[0]], tag[2:]) if "-" in tag else tag)
    export = read(text * 3, name="a.txt")
    assert set(export.problems) == {(LABEL_LIKE_TAG, 0)}


def test_tags_in_brackets_are_refused(read):
    """Else O is an entity."""
    with pytest.raises(ValueError, match="no format fits"):
        read(written(lambda tag: f"<{tag}>") * 3, name="a.txt")


def test_an_indented_line_keeps_its_token(read):
    """Else a space stands in its place."""
    export = read("中 B-LOC\n 国 I-LOC\n好 O\n", lang="zh")
    assert export.entities == [[("中国", "LOC")]]
    assert export.problems == []


def test_a_token_that_is_the_mark_of_a_parquet_file(read):
    """It is a gene."""
    export = read("PAR1\tB-protein\nbinds\tO\n")
    assert export.entities == [[("PAR1", "protein")]]


def test_a_comment_above_the_names_of_columns(read):
    """Else the names are a token and its tag."""
    export = read("# text = x\ntoken\ttag\nAnna\tB-PER\nran\tO\n")
    assert [[token.text for token in doc] for doc in export.docs] == [["Anna", "ran"]]
