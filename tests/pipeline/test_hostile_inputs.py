"""Texts and Docs that nobody expects, and that come all the same."""

import numpy as np
import pytest
from spacy.tokens import Doc, Span
from spacy.util import ignore_error
from spacy.vocab import Vocab

TEXT = "王小明在北京大学工作。"


def spaces(nlp):
    return nlp.make_doc(" \u3000\n\t" * 30)


def control_characters(nlp):
    return nlp.make_doc("\x00\x01王小明\x00在\x7f北京大学\ufffe工作。\U0010ffff")


def a_token_of_a_million_characters(nlp):
    return Doc(nlp.vocab, words=["王", "a" * 1_000_000, "。"])


def a_token_of_many_wordpieces(nlp):
    return Doc(nlp.vocab, words=["王", "北" * 3000, "。"])


def a_hundred_entities(nlp):
    doc = nlp.make_doc(TEXT * 20)
    doc.ents = [Span(doc, i, i + 1, f"label {i % 7}") for i in range(0, 200, 2)]
    return doc


def all_blocked(nlp):
    doc = nlp.make_doc(TEXT)
    doc.set_ents([], blocked=[doc[:]])
    return doc


def blocked_among_missing(nlp):
    doc = nlp.make_doc(TEXT)
    doc.set_ents([], blocked=[doc[0:2], doc[5:6]], default="missing")
    return doc


def merged_tokens(nlp):
    doc = nlp.make_doc(TEXT)
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[0:3])
        retokenizer.merge(doc[4:8])
    return doc


def split_token(nlp):
    doc = Doc(nlp.vocab, words=["北京大学", "。"])
    with doc.retokenize() as retokenizer:
        retokenizer.split(doc[0], ["北京", "大学"], heads=[doc[0], doc[0]])
    return doc


def another_vocab(nlp):
    return Doc(Vocab(), words=list(TEXT), spaces=[False] * len(TEXT))


def with_user_data(nlp):
    doc = nlp.make_doc(TEXT)
    doc.user_data["of the user"] = {"any": "thing"}
    doc.spans["of the user"] = [doc[0:3]]
    doc.cats = {"of the user": 0.5}
    return doc


def every_token_a_sentence(nlp):
    doc = nlp.make_doc(TEXT)
    for token in doc:
        token.is_sent_start = True
    return doc


def a_part_of_a_doc(nlp):
    return nlp.make_doc(TEXT * 2)[2:15].as_doc()


def without_tokens(nlp):
    return nlp.make_doc("")


HOSTILE = [
    spaces,
    control_characters,
    a_token_of_a_million_characters,
    a_token_of_many_wordpieces,
    a_hundred_entities,
    all_blocked,
    blocked_among_missing,
    merged_tokens,
    split_token,
    another_vocab,
    with_user_data,
    every_token_a_sentence,
    a_part_of_a_doc,
    without_tokens,
]


def state(doc):
    return doc.to_array(["ENT_IOB", "ENT_TYPE", "ENT_KB_ID"]).tolist()


@pytest.mark.slow
@pytest.mark.parametrize("make", HOSTILE, ids=lambda make: make.__name__)
def test_it_passes_and_leaves_its_batch_mates_alone(trained_nlp, entities_of, make):
    """Else one odd text would stop a stream of millions, or change the entities of others."""
    plain = entities_of([trained_nlp(TEXT)])[0]
    assert plain
    before = make(trained_nlp)
    given = [(ent.start, ent.end, ent.label_) for ent in before.ents]
    user_data, n_groups = dict(before.user_data), len(before.spans)
    first, doc, last = trained_nlp.pipe([TEXT, before, TEXT])
    assert entities_of([first, last]) == [plain, plain]
    assert doc is before
    assert set(given) <= set(entities_of([doc])[0])
    assert all(token.ent_iob for token in doc)
    assert user_data.items() <= doc.user_data.items()
    assert len(doc.spans) == n_groups
    assert state(trained_nlp(make(trained_nlp))) == state(doc)


@pytest.mark.slow
def test_a_tensor_of_the_user_is_left_alone(trained_as):
    """Else a component with vectors of its own would read, or write, those of others."""
    for config in ("bert_crf", "cpu_cnn_crf"):
        nlp = trained_as(config)
        doc = nlp.make_doc(TEXT)
        doc.tensor = np.full((len(doc), 3), 7, dtype=np.float32)
        nlp.get_pipe("bertcrf")(doc)
        assert state(doc) == state(nlp(TEXT))
        assert (doc.tensor == 7).all()


def test_half_a_surrogate_pair_is_refused_before_the_component(trained):
    """spaCy's strings are UTF-8, which has no such thing: what we can promise is that the pipeline
    goes on with the next text."""
    with pytest.raises(UnicodeEncodeError):
        trained("王\ud83d小明")
    assert trained(TEXT).ents


def test_contexts_stay_with_their_texts(trained_nlp, entities_of):
    """Else ids would be given to other texts, since batches are sorted by length."""
    texts = [TEXT * n for n in (3, 0, 1, 5, 2)]
    found = list(trained_nlp.pipe(zip(texts, range(5), strict=True), as_tuples=True, batch_size=2))
    assert [context for _, context in found] == list(range(5))
    assert [doc.text for doc, _ in found] == texts
    assert entities_of(doc for doc, _ in found) == entities_of(map(trained_nlp, texts))


class Unreadable(Exception):
    pass


@pytest.fixture
def broken(trained_copy, monkeypatch):
    """A pipeline whose model, or whose writing, fails at texts with "坏" in them."""

    def build(where):
        component = trained_copy.get_pipe("bertcrf")
        if where == "model":
            predict = type(component.model).predict

            def predict_or_fail(model, docs):
                if any("坏" in doc.text for doc in docs):
                    raise Unreadable
                return predict(model, docs)

            monkeypatch.setattr(type(component.model), "predict", predict_or_fail)
        else:
            annotate = type(component).set_annotations

            def annotate_or_fail(self, docs, scores):
                docs = list(docs)
                if any("坏" in doc.text for doc in docs):
                    raise Unreadable
                annotate(self, docs, scores)

            monkeypatch.setattr(type(component), "set_annotations", annotate_or_fail)
        return trained_copy

    return build


@pytest.mark.slow
@pytest.mark.parametrize("where", ["model", "writing"])
@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_a_bad_text_goes_alone(trained, broken, entities_of, where, batch_size):
    """Else with spaCy's own batches, one bad text of a thousand would silently cost the other 999
    of its batch, where the error handler ignores it."""
    good = [TEXT, "", TEXT * 2, "张伟在广州大学读书,", TEXT]
    expected = entities_of(map(trained, good))
    nlp = broken(where)
    nlp.set_error_handler(ignore_error)
    docs = list(
        nlp.pipe([*good[:2], "坏", *good[2:4], TEXT + "坏", good[4]], batch_size=batch_size)
    )
    assert [doc.text for doc in docs] == good
    assert entities_of(docs) == expected


def test_an_error_handler_gets_what_has_failed(broken):
    """Else a log could not say which text it was."""
    nlp = broken("model")
    failed = []
    nlp.set_error_handler(
        lambda name, component, docs, error: failed.append((name, [d.text for d in docs], error))
    )
    assert len(list(nlp.pipe([TEXT, "坏", TEXT]))) == 2
    ((name, texts, error),) = failed
    assert (name, texts, type(error)) == ("bertcrf", ["坏"], Unreadable)


def test_without_a_handler_an_error_is_raised_at_once(broken):
    """Else a failure that is none of a text's, such as memory, would be hidden by trying again."""
    nlp = broken("model")
    with pytest.raises(Unreadable):
        list(nlp.pipe([TEXT, "坏", TEXT]))
