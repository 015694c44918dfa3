from pathlib import Path

import pytest
import spacy
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spacy_bertcrf.corpora.column_sentences import WRONG_COLUMNS
from spacy_bertcrf.corpora.entities import BLANK, TRIMMED
from spacy_bertcrf.corpora.language import guess_language
from spacy_bertcrf.corpora.malformed import BAD_ENTITY, EMPTY_TOKEN
from spacy_bertcrf.corpora.reading import read_corpus
from spacy_bertcrf.corpora.sources import Source
from spacy_bertcrf.tagging import TagSet
from spacy_bertcrf.tagging.repair import NO_BEGINNING, OVER_BREAK, UNKNOWN_TAG

ODD_TOKENS = ["\u3000", "\u00a0", "\u2028", "\x85", "\x0b", "\x1c", "\ufe0f", "\ufffd", "\ufeff"]
TOKENS = ["中", "国", "A", "1", "#", "{", '"', "，", "𠮷", "O", "B-X", *ODD_TOKENS]
LABELS = ["PER", "org.com", "a-b"]


def read(text, lang="zh", scheme="BIO", **columns):
    source = Source(Path("corpus.txt"), data=text.encode("utf-8-sig"))
    corpus = read_corpus(source, "columns", lang=lang, scheme=scheme, **columns)
    return corpus.docs, [(problem.kind, problem.line) for problem in corpus.problems]


def entities(doc):
    return [(ent.start, ent.end, ent.label_) for ent in doc.ents]


@st.composite
def tagged_sentence(draw):
    words = draw(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=12))
    spans, position = [], 0
    while position < len(words):
        start = position + draw(st.integers(0, 3))
        position = start + draw(st.integers(1, 4))
        if position <= len(words):
            spans.append((start, position, draw(st.sampled_from(LABELS))))
    return words, spans


def without_blank_edges(words, spans):
    for start, end, label in spans:
        solid = [i for i in range(start, end) if not words[i].isspace()]
        if solid:
            yield solid[0], solid[-1] + 1, label


@pytest.mark.slow
@settings(deadline=None)
@given(
    st.lists(tagged_sentence(), min_size=1, max_size=4),
    st.sampled_from(["BIO", "BIOES"]),
    st.sampled_from(["\t", " ", "   ", "\tNN\t"]),
)
def test_what_is_written_is_read(corpus, scheme, separator):
    """Else tokens or entities of a corpus are lost on the way."""
    tag_set = TagSet(LABELS, scheme)
    text = "\n\n\n".join(
        "\n".join(
            f"{word}{separator}{tag_set.tags[tag]}"
            for word, tag in zip(words, tag_set.encode(spans, len(words)), strict=True)
        )
        for words, spans in corpus
    )
    docs, problems = read(text, scheme=scheme)
    assert [[token.text for token in doc] for doc in docs] == [words for words, _ in corpus]
    for doc, (words, spans) in zip(docs, corpus, strict=True):
        assert doc.text == "".join(words)
        assert entities(doc) == list(without_blank_edges(words, spans))
        assert all(token.ent_iob for token in doc)
    assert {kind for kind, _ in problems} <= {TRIMMED, BLANK}


@settings(deadline=None)
@example("A\n I-A")
@given(
    st.text(alphabet="中A \t-#\u3000OBI.", max_size=60).map(lambda text: text.replace(".", "\n"))
)
def test_any_text_is_read_or_refused_with_a_reason(text):
    """Else a bad file ends in a traceback, or a line vanishes without a report."""
    try:
        docs, problems = read(text)
    except ValueError as err:
        message = str(err)
        docs = None
    if docs is None:
        assert "column" in message
        return
    lines = [line for line in text.split("\n") if line.strip(" \t")]
    comments = sum(line.startswith("#") for line in lines)
    assert len(lines) - comments <= sum(map(len, docs)) <= len(lines)
    unread = sum(not token.ent_iob for doc in docs for token in doc)
    # An inside tag after a token of which nothing is known is in doubt itself.
    reasons = (WRONG_COLUMNS, UNKNOWN_TAG, NO_BEGINNING, BAD_ENTITY)
    assert unread <= sum(kind in reasons for kind, _ in problems)


def test_conll_layout():
    """Else CoNLL-2003 gets -DOCSTART- as a token, or its columns mixed up."""
    text = (
        "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n. . O O\n\n\n"
        "-DOCSTART- -X- -X- O\n\nPeter NNP B-NP B-PER\nBlackburn NNP I-NP I-PER\n"
    )
    docs, problems = read(text, lang="en")
    assert [doc.text for doc in docs] == ["EU rejects .", "Peter Blackburn"]
    assert [entities(doc) for doc in docs] == [[(0, 1, "ORG")], [(0, 2, "PER")]]
    assert not problems
    chunks, _ = read(text, lang="en", tag_column=3)
    assert entities(chunks[0]) == [(0, 1, "NP"), (1, 2, "VP")]
    tags_first, _ = read("O\t.\nB-A\tx", token_column=-1, tag_column=1)
    assert entities(tags_first[0]) == [(1, 2, "A")]
    assert tags_first[0].text == ".x"


def test_words_have_spaces_between_them_where_the_language_writes_them():
    """Else the trained pipeline would meet other text than it was trained on."""
    text = "New O\n\u3000 O\nYork O\n. O"
    assert read(text, lang="en")[0][0].text == "New\u3000York ."
    assert read(text, lang="zh")[0][0].text == "New\u3000York."


def test_an_empty_token_is_read_as_a_space():
    """Else a stripped space would glue the words beside it together, or end the sentence."""
    docs, problems = read("T\tB-A\n\tI-A\nH\tI-A\n\tO\nx\tO")
    assert docs[0].text == "T H x"
    assert entities(docs[0]) == [(0, 3, "A")]
    assert problems == [(EMPTY_TOKEN, 2), (EMPTY_TOKEN, 4)]
    assert read("T O\n O\n  O\nx O")[0][0].text == "T  x"
    assert read("T\tO\n \tO\nx\tO")[1] == []


def test_white_space_at_the_edges_of_entities_is_taken_off_and_reported():
    """Else spaCy's own checks call the corpus invalid."""
    docs, problems = read("\u3000\tB-A\n中\tI-A\n\u3000\tI-A\n国\tI-A\n \tI-A\n\u3000\tB-B")
    assert entities(docs[0]) == [(1, 4, "A")]
    assert problems == [(TRIMMED, 1), (BLANK, 6)]


def test_a_bad_line_keeps_its_token_and_loses_its_annotation():
    """Else one bad line costs a sentence, or is trained on as "no entity"."""
    docs, problems = read("中\tB-A\n国\n人\tI-A\n好\tO\tO\n吗\tX-A\n。\tB-C")
    assert docs[0].text == "中国人好吗。"
    assert [token.ent_iob_ for token in docs[0]] == ["", "", "", "", "", "B"]
    assert problems == [
        (WRONG_COLUMNS, 2),
        (WRONG_COLUMNS, 4),
        (NO_BEGINNING, 3),
        (UNKNOWN_TAG, 5),
    ]


def test_comments_before_a_sentence_are_no_tokens():
    """Else ids such as MultiCoNER's end up in the text."""
    docs, problems = read("# id 1 x\ty\na _ O\nb _ O\n\n# id\n# _ O\n")
    assert [doc.text for doc in docs] == ["ab", "#"]
    assert not problems


@pytest.mark.parametrize(
    ("first", "second"),
    [("#Brexit\tB-EVENT\tx", "#MeToo"), ("#Brexit\tO\tx", "#MeToo\tB EVENT"), ("#\tO\tx", "#x")],
)
def test_a_hashtag_before_a_sentence_is_a_token(first, second):
    """Else it vanishes with its entity where another token would be reported."""
    text = f"Anna\tB-PER\nmet\tO\nBob\tB-PER\n\n{first}\nwins\tO\n\n{second}\nrocks\tO\n"
    docs, problems = read(text, lang="en")
    tokens = [line.split("\t")[0] for line in (first, second)]
    assert [doc.text for doc in docs[1:]] == [f"{tokens[0]} wins", f"{tokens[1]} rocks"]
    assert [doc[0].ent_iob_ for doc in docs[1:]] == ["", ""]
    assert [line for _, line in problems] == [5, 8]


@pytest.mark.parametrize(
    "comment",
    [
        *("# id 123", "# text = Anna B-PER", "#begin document (a/b); part 000", "#end document"),
        *("## klue-ner-v1_train_00000-nsmc\t<안나:PS>는", "###MEDLINE:97218353\n", "#Text: Anna O"),
        *("#doc1\n", "# hipe2022:language = O", "# id f0\tdomain=en", "#\thttp://a.b [2009]"),
    ],
)
@pytest.mark.parametrize("row", ["{}\t{}", "{} {}", "{} x y {}"])
def test_comments_are_no_hashtags(comment, row):
    """Else ids and sentences become tokens of every text."""
    sentence = "\n".join((row.format("Anna", "B-PER"), row.format("met", "O"))) + "\n\n"
    docs, problems = read(f"{comment}\n{sentence}" * 2, lang="en")
    assert [doc.text for doc in docs] == ["Anna met"] * 2
    assert not problems


def test_headings_of_one_word():
    """Else the number of each sentence is its first token."""
    docs, problems = read("".join(f"#s{at}\nAnna B-PER\nmet O\n\n" for at in range(4)), lang="en")
    assert [doc.text for doc in docs] == ["Anna met"] * 4
    assert not problems


def test_an_entity_over_a_sentence_break_is_cut_and_reported():
    """Else a wrong sentence break goes unseen."""
    docs, problems = read("a\tB-A\n\nb\tI-A\n\nc\tO\n\n-DOCSTART-\tO\n\nd\tB-A\n")
    assert [entities(doc) for doc in docs] == [[(0, 1, "A")], [(0, 1, "A")], [], [(0, 1, "A")]]
    assert problems == [(OVER_BREAK, 3)]
    assert read("a\tB-A\n\n-DOCSTART-\tO\n\nb\tI-A")[1] == [(NO_BEGINNING, 5)]


def test_a_sentence_of_2500_characters_stays_whole():
    """Else the end of a long sentence is lost."""
    docs, problems = read("\n".join(["中\tO"] * 2499 + ["国\tB-LOC"]))
    assert [len(doc) for doc in docs] == [2500]
    assert entities(docs[0]) == [(2499, 2500, "LOC")]
    assert not problems


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("a O\nb O", {"tag_column": 3}),
        ("a O\nb O", {"token_column": 0}),
        ("a O\nb O", {"tag_column": 1}),
        ("a\nb", {}),
    ],
)
def test_columns_that_are_not_there_are_refused(text, columns):
    """Else the user gets a traceback, or tokens as tags."""
    with pytest.raises(ValueError, match="column"):
        read(text, **columns)


def test_the_language_is_guessed_by_its_letters():
    """Else Chinese is written with a space between characters."""
    assert guess_language(["中", "国", "NBA", "の"]) == "zh"
    assert guess_language(["New", "York", "中"]) == "en"


def test_the_documents_agree_with_the_chinese_tokenizer():
    """Else spaCy could not lay the file's entities on the tokens it predicts for."""
    text = "T\tB-A\no\tI-A\n \tI-A\n\u3000\tI-A\nH\tI-A\n\u3000\tO\n\ufe0f\tB-A\n\ufffd\tB-A"
    (doc,), _ = read(text)
    predicted = spacy.blank("zh", vocab=doc.vocab).make_doc(doc.text)
    example = spacy.training.Example(predicted, doc)
    found = [(span.text, span.label_) for span in example.get_aligned_spans_y2x(doc.ents)]
    assert found == [("To \u3000H", "A"), ("\ufe0f", "A"), ("\ufffd", "A")]
    assert None not in example.get_aligned_ner()
