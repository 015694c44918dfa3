"""Entities replaced by others: what stays, what moves, what is refused."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Corpus, Example
from spacy.util import registry

from spacy_bertcrf.training.augmenters.entity_replacement import entity_replacement

MENTIONS = {
    "PER": ["张伟", "王小明", "Ann Lee", "O'Neil"],
    "LOC": ["北京", "New York", "上海 浦东", "U.K."],
    "GAME": ["CSOL"],
}
NLPS = {lang: spacy.blank(lang) for lang in ("zh", "en")}


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("list") / "mentions.json"
    path.write_text(json.dumps(MENTIONS), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def augmenters(listed: Path) -> Callable[[float], Callable]:
    by_share = {share: entity_replacement(listed, 1.0, share) for share in (0.5, 1.0)}
    return by_share.__getitem__


def test_an_entity_with_others_inside_comes_nowhere_else(tmp_path):
    """Its inner spans would be missing there, and be learned as none."""
    docs = []
    for text, *spans in (
        ("我在复旦读书", (2, 4, "org")),
        ("他在北京大学读书", (2, 6, "org"), (2, 4, "place")),
        ("她在同济读书", (2, 4, "org")),
    ):
        doc = NLPS["zh"].make_doc(text)
        doc.spans["sc"] = [Span(doc, *span) for span in spans]
        doc.ents = [doc.spans["sc"][0]]
        docs.append(doc)
    DocBin(docs=docs).to_disk(tmp_path / "corpus.spacy")
    augment = entity_replacement(tmp_path / "corpus.spacy", 1.0, 1.0)
    example = Example(NLPS["zh"].make_doc(docs[0].text), docs[0])
    texts = {found.reference.text for _ in range(20) for found in augment(NLPS["zh"], example)}
    assert texts == {"我在同济读书"}


pieces = st.text("abc去北.'- ", min_size=0, max_size=4)
labels = st.sampled_from(["PER", "LOC", "GAME", "OTHER"])
statuses = st.sampled_from(["O", ""])


@st.composite
def references(draw: st.DrawFn) -> Doc:
    """Documents of text and entities in turn, some of it without annotation."""
    nlp = NLPS[draw(st.sampled_from(["zh", "en"]))]
    words, spaces, tags, starts = [], [], [], []
    n_entities = draw(st.integers(0, 4))
    for number in range(n_entities + 1):
        status = draw(statuses)
        for token in nlp.make_doc(draw(pieces)):
            words.append(token.text)
            spaces.append(bool(token.whitespace_))
            tags.append(status)
            starts.append(draw(st.booleans()))
        if number < n_entities:
            label = draw(labels)
            text = draw(st.sampled_from([*MENTIONS.get(label, []), "某 人", "x"]))
            tokens = list(nlp.make_doc(text))
            words += [token.text for token in tokens]
            spaces += [bool(token.whitespace_) for token in tokens[:-1]] + [draw(st.booleans())]
            tags += [f"{'I' if i else 'B'}-{label}" for i in range(len(tokens))]
            starts += [not i and draw(st.booleans()) for i in range(len(tokens))]
    unknown = draw(st.booleans()) and draw(st.booleans())
    doc = Doc(
        nlp.vocab,
        words=words,
        spaces=None if unknown else spaces,
        ents=tags if words else None,
        sent_starts=starts if words and draw(st.booleans()) else None,
    )
    if len(doc.ents) > 1:
        first, last = doc.ents[0], doc.ents[-1]
        doc.spans["incorrect"] = [doc[first.start : last.end], doc[first.end - 1 : last.end]]
    return doc


def example_of(reference: Doc, gold_preproc: bool) -> Example:
    """As spaCy's corpus reader makes it."""
    nlp = next(nlp for nlp in NLPS.values() if nlp.vocab is reference.vocab)
    corpus = Corpus("unused", gold_preproc=gold_preproc)
    return corpus._make_example(nlp, reference, gold_preproc)


def around(doc: Doc) -> list[tuple[str, list[str]]]:
    """The text before, between and after the entities, and what is known of its tokens."""
    bounds = [0, *(i for ent in doc.ents for i in (ent.start, ent.end)), len(doc)]
    parts = [doc[a:b] for a, b in zip(bounds[::2], bounds[1::2], strict=True)]
    return [(part.text_with_ws, [token.ent_iob_ for token in part]) for part in parts]


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(references(), st.sampled_from([0.5, 1.0]), st.booleans(), st.integers(0, 10**6))
def test_only_the_entities_change_and_each_to_one_of_its_label(
    augmenters: Callable[[float], Callable],
    reference: Doc,
    share: float,
    gold_preproc: bool,
    seed: int,
):
    example = example_of(reference, gold_preproc)
    nlp = next(nlp for nlp in NLPS.values() if nlp.vocab is reference.vocab)
    random.seed(seed)
    (augmented,) = augmenters(share)(nlp, example)
    changed = augmented.reference
    assert [ent.label_ for ent in changed.ents] == [ent.label_ for ent in reference.ents]
    assert around(changed) == around(reference)
    for old, new in zip(reference.ents, changed.ents, strict=True):
        spaced = {" ".join(t.text for t in nlp.make_doc(m)) for m in MENTIONS.get(new.label_, ())}
        assert new.text in (old.text, *MENTIONS.get(new.label_, ()), *spaced)
        assert bool(new[-1].whitespace_) == bool(old[-1].whitespace_)
        if share == 1.0 and new.label_ in ("PER", "LOC") and not reference.spans:
            assert new.text != old.text
    n_starts = [sum(t.is_sent_start is True for t in doc) for doc in (reference, changed)]
    assert n_starts[0] == n_starts[1]
    for old_span, new_span in zip(
        reference.spans.get("incorrect", []), changed.spans.get("incorrect", []), strict=True
    ):
        inside = [
            [ent.label_ for ent in doc.ents if span.start <= ent.start and ent.end <= span.end]
            for doc, span in ((reference, old_span), (changed, new_span))
        ]
        assert inside[0] == inside[1]
        assert old_span[-1].i == reference.ents[-1].end - 1
        assert new_span[-1].i == changed.ents[-1].end - 1
    assert augmented.predicted.text == changed.text
    if [t.text for t in example.predicted] == [t.text for t in reference]:
        assert [t.text for t in augmented.predicted] == [t.text for t in changed]


def test_an_entity_of_the_corpus_keeps_its_tokens(tmp_path: Path):
    nlp = spacy.blank("zh")
    doc = Doc(
        nlp.vocab,
        words=["住", "New York", "4", "8", "号", "和", "北", "京"],
        spaces=[False] * 8,
        ents=["O", "B-LOC", "I-LOC", "I-LOC", "I-LOC", "O", "B-LOC", "I-LOC"],
    )
    DocBin(docs=[doc]).to_disk(tmp_path / "train.spacy")
    augment = entity_replacement(tmp_path / "train.spacy", 1.0, 1.0)
    (changed,) = augment(nlp, Example(doc.copy(), doc))
    assert [ent.text for ent in changed.reference.ents] == ["北京", "New York48号"]
    assert [t.text for t in changed.reference.ents[1]] == ["New York", "4", "8", "号"]
    assert [t.text for t in changed.predicted] == [t.text for t in changed.reference]


def test_an_entity_that_a_span_or_a_sentence_divides_is_left_alone(listed: Path):
    nlp = spacy.blank("zh")
    augment = entity_replacement(listed, 1.0, 1.0)
    divided = nlp.make_doc("王小明去")
    divided.ents = [divided.char_span(0, 3, label="PER")]
    spanned = divided.copy()
    spanned.spans["incorrect"] = [spanned[1:4]]
    divided[1].is_sent_start = True
    for doc in (divided, spanned):
        assert [eg.text for eg in augment(nlp, Example(doc.copy(), doc))] == ["王小明去"]


def test_the_only_entity_of_its_label_and_unknown_labels_stay(listed: Path):
    nlp = spacy.blank("zh")
    doc = nlp.make_doc("CSOL和foo")
    doc.ents = [doc.char_span(0, 4, label="GAME"), doc.char_span(5, 8, label="OTHER")]
    example = Example(doc.copy(), doc)
    assert list(entity_replacement(listed, 1.0, 1.0)(nlp, example)) == [example]
    assert list(entity_replacement(listed, 1.0, 1.0, copies=2)(nlp, example)) == [example]


def test_copies_are_beside_the_original_and_level_is_their_share(listed: Path):
    nlp = spacy.blank("zh")
    doc = nlp.make_doc("张伟来了")
    doc.ents = [doc.char_span(0, 2, label="PER")]
    example = Example(doc.copy(), doc)
    original, *copies = entity_replacement(listed, 1.0, 1.0, copies=5)(nlp, example)
    assert original is example
    assert len(copies) == 5
    assert {copy.text[-2:] for copy in copies} == {"来了"}
    assert "张伟来了" not in {copy.text for copy in copies}
    random.seed(0)
    rare = entity_replacement(listed, 0.2, 1.0, copies=10)
    n_copies = [len(list(rare(nlp, example))) - 1 for _ in range(100)]
    assert 150 < sum(n_copies) < 250
    in_place = entity_replacement(listed, 0.2, 1.0)
    texts = [eg.text for _ in range(1000) for eg in in_place(nlp, example)]
    assert len(texts) == 1000
    assert 150 < 1000 - texts.count("张伟来了") < 250


def test_the_same_seed_draws_the_same_corpus(train_corpus: Path):
    nlp = spacy.blank("zh")

    def read(seed: int) -> list[str]:
        random.seed(seed)
        augment = entity_replacement(train_corpus, 0.5, 0.5, copies=2)
        return [eg.text for eg in Corpus(train_corpus, augmenter=augment)(nlp)]

    assert read(1) == read(1)
    assert read(1) != read(2)


def test_phrase_patterns_of_the_entity_ruler_are_a_dictionary(tmp_path: Path):
    nlp = spacy.blank("zh")
    path = tmp_path / "patterns.jsonl"
    path.write_text('{"label": "PER", "pattern": "韩梅梅"}\n', encoding="utf-8")
    doc = nlp.make_doc("张伟来了")
    doc.ents = [doc.char_span(0, 2, label="PER")]
    (changed,) = entity_replacement(path, 1.0, 1.0)(nlp, Example(doc.copy(), doc))
    assert [(ent.text, ent.label_) for ent in changed.reference.ents] == [("韩梅梅", "PER")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", '{"PER": "张伟"}', "list of texts"),
        ("a.json", '{"PER": [" 张伟"]}', "an entity of PER is ' 张伟'"),
        ("a.json", '{"PER": []}', "no entity"),
        ("a.jsonl", '{"label": "PER"}', "entry 1"),
        ("a.jsonl", '{"label": "PER", "pattern": [{"LOWER": "x"}]}', "an entity of PER is"),
    ],
)
def test_a_wrong_list_is_an_error_with_its_place(
    tmp_path: Path, name: str, content: str, message: str
):
    nlp = spacy.blank("zh")
    (tmp_path / name).write_text(content, encoding="utf-8")
    doc = nlp.make_doc("张伟来了")
    doc.ents = [doc.char_span(0, 2, label="PER")]
    with pytest.raises(ValueError, match=message):
        list(entity_replacement(tmp_path / name, 1.0)(nlp, Example(doc.copy(), doc)))


def test_wrong_settings_are_refused_when_the_config_is_read(listed: Path, tmp_path: Path):
    make = registry.augmenters.get("spacy-bertcrf.entity_replacement.v1")
    for path, match in ((None, "path is null"), (tmp_path / "no.spacy", "nothing at")):
        with pytest.raises(ValueError, match=match):
            make(path, 0.5)
    (tmp_path / "train.conll").touch()
    with pytest.raises(ValueError, match=r"must be a \.spacy or"):
        make(tmp_path / "train.conll", 0.5)
    with pytest.raises(ValueError, match="level is 30"):
        make(listed, 30)
    with pytest.raises(ValueError, match=r"share is -0\.5"):
        make(listed, 0.3, -0.5)
    with pytest.raises(ValueError, match="copies is -1"):
        make(listed, 0.3, copies=-1)


def test_the_pipelines_language_is_that_of_the_test(listed: Path):
    nlp: Language = spacy.blank("en")
    doc = nlp.make_doc("in Rome, ok")
    doc.ents = [doc.char_span(3, 7, label="LOC")]
    texts = set()
    random.seed(0)
    for _ in range(50):
        (changed,) = entity_replacement(listed, 1.0, 1.0)(nlp, Example(nlp.make_doc(doc.text), doc))
        texts.add(changed.text)
    assert texts == {f"in {mention}, ok" for mention in MENTIONS["LOC"]}
