"""Learning from a teacher: from just what it believes, whatever its tags, at no cost the second
time."""

import math
import random
from itertools import product

import numpy as np
import pytest
import spacy
import torch
from spacy.training import Example
from spacy.util import fix_random_seed

from spacy_bertcrf.layers.chains import TagChain
from spacy_bertcrf.models.distillation.beliefs import beliefs, tags_of
from spacy_bertcrf.models.distillation.divergence import divergence
from spacy_bertcrf.models.resumable import NotResumableError
from spacy_bertcrf.tagging import TagSet
from spacy_bertcrf.training.strategies.distillation import Distillation
from spacy_bertcrf.training.strategies.kept_beliefs import KeptBeliefs
from spacy_bertcrf.training.strategies.teachers import Teacher

TEXTS = ["李雷在北京", "上海的王芳去了广州", "好"]


@pytest.fixture(scope="module")
def teacher(trained, tmp_path_factory):
    """The folder of a trained pipeline."""
    folder = tmp_path_factory.mktemp("teacher") / "teacher"
    trained.to_disk(folder)
    return folder


@pytest.fixture(scope="module")
def make_student(make_nlp):
    """An untrained pipeline that has its weights."""

    def make(labels=("address", "name", "organization"), seed=1, **overrides):
        nlp = make_nlp("cpu_cnn_crf", **overrides)
        for label in labels:
            nlp.get_pipe("bertcrf").add_label(label)
        fix_random_seed(seed)
        nlp.initialize(lambda: raw_examples(nlp))
        return nlp

    return make


def raw_examples(nlp):
    return [Example(nlp.make_doc(text), nlp.make_doc(text)) for text in TEXTS]


def span_sets(length, labels):
    """All sets of spans that do not overlap."""
    if length == 0:
        return [[]]
    found = span_sets(length - 1, labels)
    for start, label in product(range(length), labels):
        found = [*found, *([*s, (start, length, label)] for s in span_sets(start, labels))]
    return found


def log_probabilities(model, doc, labels=None):
    """Of each set of spans, in whatever tags the model has."""
    known, scheme = tags_of(model)
    tag_set = TagSet(known, scheme)
    crf = model.get_ref("crf").shims[0].module
    emissions = torch.as_tensor(model.predict([doc]).dataXd).double()[None]
    partition = crf.log_partition(emissions)
    found = {}
    for spans in span_sets(len(doc), labels or known):
        allowed = torch.from_numpy(
            np.eye(len(tag_set), dtype=bool)[tag_set.encode(spans, len(doc))]
        )
        score = crf.log_partition(emissions, allowed=allowed[None])
        found[frozenset(spans)] = (score - partition).item()
    return found


def divergence_of(teacher, student, doc, seed=0):
    """Both as models; the loss as it is learned."""
    learner = tags_of(student)
    scores = student.predict([doc])
    found = divergence(
        student.get_ref("crf").shims[0].module,
        torch.as_tensor(scores.dataXd),
        scores.lengths,
        beliefs(teacher, [doc], learner),
        learner,
        tags_of(teacher).labels,
        1.0,
        np.random.default_rng(seed),
    )
    return found.item()


@pytest.mark.slow
@pytest.mark.parametrize("schemes", list(product(["BIO", "BIOES"], repeat=2)))
def test_it_is_the_divergence_over_sets_of_spans_whatever_the_tags(make_student, schemes):
    """The order of the labels is another one too. BIO's distribution is said in BIOES, and
    BIOES' in BIO, where an entity's first and only token, say, are one tag: these are summed up,
    and expected counts of BIO tags say all that a BIO student's score needs."""
    labels = [["name", "address"], ["address", "name"]]
    models = [
        make_student(order, seed, **{"components.bertcrf.scheme": scheme})
        for seed, (scheme, order) in enumerate(zip(schemes, labels, strict=True))
    ]
    teacher, student = (nlp.get_pipe("bertcrf").model for nlp in models)
    doc = models[0].make_doc("王芳在北")
    p, q = log_probabilities(teacher, doc), log_probabilities(student, doc)
    assert math.fsum(map(math.exp, p.values())) == pytest.approx(1)
    expected = math.fsum(math.exp(p[spans]) * (p[spans] - q[spans]) for spans in p)
    found = divergence_of(teacher, student, doc)
    # A BIOES teacher is no chain in BIO: what is subtracted is the entropy of the nearest one.
    is_exact = schemes != ("BIOES", "BIO")
    assert found == pytest.approx(expected, abs=1e-5) if is_exact else found <= expected + 1e-5


@pytest.mark.slow
def test_new_labels_are_summed_out(make_student):
    """Where the teacher sees nothing, a label that it does not know costs nothing; where it sees
    an entity, as much as no entity."""
    teacher = make_student(["name"], 0).get_pipe("bertcrf").model
    student = make_student(["place", "name"], 1).get_pipe("bertcrf").model
    doc = make_student(["name"]).make_doc("王芳在")
    p, q = log_probabilities(teacher, doc), log_probabilities(student, doc)
    merged = dict.fromkeys(p, 0.0)
    for spans, log in q.items():
        merged[frozenset(span for span in spans if span[2] == "name")] += math.exp(log)
    tag_set = TagSet(*tags_of(student))
    ((chain,),) = beliefs(teacher, [doc], tags_of(student))
    for seed in range(5):
        path, _ = chain.sample(np.random.default_rng(seed))
        drawn = frozenset(map(tuple, tag_set.decode(path)))
        expected = p[drawn] - math.log(merged[drawn])
        assert divergence_of(teacher, student, doc, seed) == pytest.approx(expected, abs=1e-5)


def test_what_was_left_out_of_a_belief_costs_no_training(make_student):
    """Else a chain that is broken off between two tokens, so that the tags that are drawn fit no
    student, makes the loss infinite, and a training of hours ends with it."""
    student = make_student(["LOC", "NEW", "PER"]).get_pipe("bertcrf").model
    learner = tags_of(student)
    tags = list(TagSet(learner.labels, learner.scheme).tags)
    inside = tags.index("B-PER") * len(tags) + tags.index("I-PER")
    entries = np.array([tags.index("O"), inside])
    broken = TagChain.of_entries(len(tags), np.arange(2), entries, np.ones(2), 2)
    emissions = torch.zeros(2, len(tags), requires_grad=True)
    crf = student.get_ref("crf").shims[0].module
    random = np.random.default_rng(0)
    known = ("LOC", "PER")
    loss = divergence(crf, emissions, np.array([2]), [[broken]], learner, known, 1.0, random)
    loss.backward()
    assert loss.item() == 0
    assert emissions.grad.isfinite().all()


def test_labels_of_the_teacher_alone_are_an_error(make_student):
    teacher, student = make_student(["name", "place"]), make_student(["name"])
    docs = [teacher.make_doc("王芳")]
    learner = tags_of(student.get_pipe("bertcrf").model)
    with pytest.raises(ValueError, match="place; it has name"):
        beliefs(teacher.get_pipe("bertcrf").model, docs, learner)


def taught(nlp, strategy, n_steps=25):
    component = nlp.get_pipe("bertcrf")
    component.learning.strategies = {"teacher": strategy}
    optimizer = nlp.create_optimizer()
    optimizer.learn_rate = 0.01
    losses = [nlp.update(raw_examples(nlp), sgd=optimizer) for _ in range(n_steps)]
    return [each["bertcrf/teacher"] for each in losses]


def spans_of(nlp):
    return [[(e.start, e.end, e.label_) for e in doc.ents] for doc in nlp.pipe(TEXTS)]


@pytest.mark.slow
def test_raw_text_is_enough(teacher, trained, make_student):
    """A student that has seen no annotation finds what the teacher finds."""
    student = make_student()
    losses = taught(student, Distillation(teacher))
    assert losses[-1] < 0.05 * losses[0]
    assert spans_of(student) == spans_of(trained)
    assert any(spans_of(trained))


@pytest.mark.slow
def test_a_second_training_needs_no_teacher(teacher, make_student, tmp_path, monkeypatch):
    """What is kept is as good, and an interrupted training has kept what it has asked."""
    file = tmp_path / "beliefs.sqlite"
    losses = taught(make_student(), Distillation(teacher, kept_in=file), 3)
    again = Distillation(teacher, kept_in=file)
    monkeypatch.setattr(
        "spacy_bertcrf.training.strategies.teachers.spacy.load",
        lambda *_: pytest.fail("the teacher was loaded"),
    )
    assert taught(make_student(), again, 3) == pytest.approx(losses, rel=1e-4)
    monkeypatch.undo()
    exactly = taught(make_student(), Distillation(teacher), 3)
    assert losses == pytest.approx(exactly, rel=0.02, abs=0.02)
    assert file.stat().st_size < 50_000


@pytest.mark.slow
def test_other_teachers_are_asked_anew(teacher, make_student, tmp_path):
    """Else a better teacher would never be heard."""
    other = tmp_path / "other"
    make_student(seed=2).to_disk(other)
    file = tmp_path / "beliefs.sqlite"
    alone = taught(make_student(), Distillation(other), 1)
    taught(make_student(), Distillation(teacher, kept_in=file), 1)
    assert taught(make_student(), Distillation(other, kept_in=file), 1) == pytest.approx(
        alone, rel=0.05
    )


def test_a_training_goes_on_with_its_own_teacher_alone(teacher, make_student, tmp_path):
    """Else half of it would have learned from one model, and half from another."""
    state = Distillation(teacher).training_state()
    Distillation(teacher).restore_training_state(state)
    other = tmp_path / "other"
    make_student(seed=2).to_disk(other)
    with pytest.raises(NotResumableError, match="has other files than when the training began"):
        Distillation(other).restore_training_state(state)


@pytest.mark.slow
def test_two_teachers_are_their_mixture(teacher, make_student, tmp_path):
    other = tmp_path / "other"
    make_student(seed=2).to_disk(other)
    learner = tags_of(make_student().get_pipe("bertcrf").model)
    docs = [make_student().make_doc(TEXTS[1])]
    alone = [Distillation(path).teachers.beliefs(docs, learner)[0][0] for path in (teacher, other)]
    both = Distillation([str(teacher), str(other)]).teachers.beliefs(docs, learner)[0][0]
    np.testing.assert_allclose(
        both.tag_probabilities(), np.mean([c.tag_probabilities() for c in alone], axis=0)
    )


def test_a_file_that_keeps_something_else_is_an_error(tmp_path):
    file = tmp_path / "beliefs"
    file.write_text("no database" * 100)
    with pytest.raises(ValueError, match="Remove it"):
        KeptBeliefs(file).find([b"key"])


@pytest.mark.slow
def test_annotated_text_can_be_left_to_the_annotation(teacher, make_student, make_examples):
    """The teacher is not even asked for it, which would take its time."""
    student = make_student()
    component = student.get_pipe("bertcrf")
    strategy = Distillation(teacher, annotated=False)
    component.learning.strategies = {"teacher": strategy}
    assert component.update(make_examples(student))["bertcrf/teacher"] == 0
    assert not strategy.teachers.members[0].is_loaded
    both = component.update([*make_examples(student), *raw_examples(student)])["bertcrf/teacher"]
    alone = component.update(raw_examples(student))["bertcrf/teacher"]
    n_raw, n_all = len(TEXTS), len(TEXTS) + len(make_examples(student))
    assert both == pytest.approx(alone * n_raw / n_all, rel=1e-3)


def test_a_weight_of_zero_asks_nobody(make_student):
    """It is what rehearsal is compared with, and has to cost nothing."""
    student = make_student()
    strategy = Distillation("nowhere/at/all", weight=0)
    student.get_pipe("bertcrf").learning.strategies = {"teacher": strategy}
    assert "bertcrf/teacher" not in student.update(raw_examples(student))


def test_another_tokenizer_is_an_error(teacher):
    nlp = Distillation(teacher).teachers.members[0].nlp
    with pytest.raises(ValueError, match="makes other tokens"):
        Distillation(teacher).teachers.members[0].check_tokens(
            type(nlp.make_doc(""))(nlp.vocab, ["北京", "大学"], [False, False])
        )


@pytest.mark.parametrize("config", ["cpu_cnn_crf", "bert_crf"])
def test_a_loaded_teacher_leaves_chance_as_it_was(config, make_nlp, make_examples, tmp_path):
    """Else a training that was resumed, or found what is kept, would have other dropout."""
    nlp = make_nlp(config)
    nlp.initialize(lambda: make_examples(nlp))
    nlp.to_disk(tmp_path / "teacher")
    drawn = []
    for is_loaded in (False, True):
        fix_random_seed(0)
        if is_loaded:
            assert Teacher(str(tmp_path / "teacher")).component is not None
        drawn.append((torch.rand(1).item(), np.random.rand(), random.random()))
    assert drawn[0] == drawn[1]


def test_a_pipeline_loads_without_its_teacher(teacher, make_student, tmp_path):
    """The small model is what is deployed, alone."""
    settings = {"@misc": "spacy-bertcrf.Distillation.v1", "teacher": "nowhere/at/all"}
    student = make_student(**{"components.bertcrf.strategies": {"teacher": settings}})
    student.to_disk(tmp_path / "student")
    assert len(spacy.load(tmp_path / "student")("王芳")) == 2


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"teacher": []}, "at least one"),
        ({"teacher": "x", "temperature": 0}, "temperature is 0"),
        ({"teacher": "x", "likelihood": -1}, "likelihood is -1"),
        ({"teacher": "x", "weight": -1}, "weight"),
        ({"teacher": "x", "samples": 0}, "samples is 0"),
    ],
)
def test_settings_that_cannot_be_are_errors(settings, problem):
    with pytest.raises(ValueError, match=problem):
        Distillation(**settings)


@pytest.mark.slow
def test_with_a_crf_for_each_label_too(make_nlp, tmp_path):
    """Labels in another order, and one that the teacher does not know and that costs nothing."""
    no_dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    settings = {"components.bertcrf_spans.model.tok2vec.transformer_config": no_dropout}

    def pipeline(labels, seed):
        nlp = make_nlp("bert_spans", **settings)
        for label in labels:
            nlp.get_pipe("bertcrf_spans").add_label(label)
        fix_random_seed(seed)
        nlp.initialize(lambda: raw_examples(nlp))
        return nlp

    def loss(student):
        pipe = student.get_pipe("bertcrf_spans")
        pipe.learning.strategies = {"teacher": Distillation(tmp_path / "teacher")}
        return student.update(raw_examples(student), sgd=None)["bertcrf_spans/teacher"]

    teacher = pipeline(["name", "place"], 0)
    teacher.to_disk(tmp_path / "teacher")
    other = pipeline(["place", "name"], 1)
    assert loss(other) > 0.01
    same = spacy.load(tmp_path / "teacher")
    assert loss(same) == pytest.approx(0, abs=1e-4)
    same.get_pipe("bertcrf_spans").add_label("verb")
    assert loss(same) == pytest.approx(0, abs=1e-4)
