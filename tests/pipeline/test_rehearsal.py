"""`nlp.resume_training` and `nlp.rehearse`: what a pipeline knew stays while it learns more."""

import pytest
import spacy
from spacy.training import Example
from spacy.util import fix_random_seed

from spacy_bertcrf.models.bert.bert_shim import bert_shim

RAW = ["王小明在北京", "上海的王芳去了广州", "李雷喜欢北京大学", "张伟在广州大学读书"]


@pytest.fixture(params=["cpu_cnn_crf", pytest.param("bert_spans", marks=pytest.mark.slow)])
def known(request, trained_as, tmp_path):
    """A pipeline that knows the texts of the tests, to be changed."""
    trained_as(request.param).to_disk(tmp_path / "known")
    return spacy.load(tmp_path / "known")


def raw_examples(nlp):
    return [Example(nlp.make_doc(text), nlp.make_doc(text)) for text in RAW]


def found(nlp):
    docs = list(nlp.pipe(RAW))
    groups = [doc.spans.get("sc", doc.ents) for doc in docs]
    return [{(span.start, span.end, span.label_) for span in group} for group in groups]


def teach_nothing_here(nlp, rehearsed, n_steps=12):
    """Examples without any entity, which a model learns to answer with none."""
    fix_random_seed(0)
    optimizer = nlp.resume_training()
    optimizer.learn_rate = 0.003
    new = [Example.from_dict(nlp.make_doc(text), {"entities": []}) for text in ["李雷", "王芳在"]]
    losses = {}
    for _ in range(n_steps):
        nlp.update(new, sgd=optimizer)
        if rehearsed:
            nlp.rehearse(raw_examples(nlp), sgd=optimizer, losses=losses)
    return losses


@pytest.mark.slow
def test_what_was_known_stays(known):
    before = found(known)
    assert sum(map(len, before)) > 4
    name = known.pipe_names[0]
    assert teach_nothing_here(known, rehearsed=True)[name] > 0
    kept = sum(len(a & b) for a, b in zip(before, found(known), strict=True))
    assert kept >= 0.8 * sum(map(len, before))


@pytest.mark.slow
def test_without_rehearsal_it_would_be_forgotten(known):
    before = found(known)
    teach_nothing_here(known, rehearsed=False)
    kept = sum(len(a & b) for a, b in zip(before, found(known), strict=True))
    assert kept < 0.8 * sum(map(len, before))


def test_a_model_that_has_not_changed_loses_nothing(known):
    known.resume_training()
    name = known.pipe_names[0]
    losses = known.get_pipe(name).rehearse(raw_examples(known), sgd=None)
    # BERT has dropout of its own while it learns.
    assert losses[name] == pytest.approx(0, abs=1e-3 if name == "bertcrf" else 0.2)


@pytest.mark.slow
def test_new_labels_cost_nothing_where_there_was_no_entity(known):
    """The old model cannot have known them: it must not stand in their way."""
    name = known.pipe_names[0]
    pipe = known.get_pipe(name)
    optimizer = known.resume_training()
    optimizer.learn_rate = 0.005
    pipe.add_label("verb")
    text = "李雷喜欢北京大学"
    example = Example.from_dict(
        known.make_doc(text), {"entities": [(0, 2, "name"), (2, 4, "verb"), (4, 8, "organization")]}
    )
    if name == "bertcrf_spans":
        example.reference.spans["sc"] = list(example.reference.ents)
    for _ in range(25):
        known.update([example], sgd=optimizer)
        known.rehearse(raw_examples(known), sgd=optimizer)
    assert (2, 4, "verb") in found(known)[2]
    assert {(0, 2, "name"), (4, 8, "organization")} <= found(known)[2]


def test_without_resume_training_nothing_happens(known):
    """As for spaCy's own components."""
    before = known.to_bytes()
    known.rehearse(raw_examples(known), sgd=known.create_optimizer())
    assert known.to_bytes() == before


def test_rehearsal_can_come_first(make_nlp, make_examples):
    """spaCy's rehearsal gives an optimizer gradients without the names that the config's groups
    of parameters know them by."""
    nlp = make_nlp("bert_bilstm_crf")
    nlp.initialize(lambda: make_examples(nlp))
    optimizer = nlp.resume_training()
    nlp.rehearse(raw_examples(nlp), sgd=optimizer)
    shim = nlp.get_pipe("bertcrf").model.get_ref("crf").shims[0]
    assert optimizer.rate_of((shim.id, "transitions")) == optimizer.learn_rates["crf"]
    nlp.update(make_examples(nlp), sgd=optimizer)


def test_strategies_have_their_say_in_rehearsal(make_nlp, make_examples):
    """Child-Tuning leaves BERT as it is while it measures; so must the other half of the steps."""
    strategy = {"@misc": "spacy-bertcrf.ChildTuningD.v1"}
    nlp = make_nlp("bert_bilstm_crf", **{"components.bertcrf.strategies": {"child": strategy}})
    nlp.initialize(lambda: make_examples(nlp))
    optimizer = nlp.resume_training()
    pipe = nlp.get_pipe("bertcrf")
    before = bert_shim(pipe.model.get_ref("tok2vec")).to_bytes()
    nlp.update(make_examples(nlp), sgd=optimizer)
    nlp.rehearse(raw_examples(nlp), sgd=optimizer)
    assert bert_shim(pipe.model.get_ref("tok2vec")).to_bytes() == before
