"""The learning rate of whoever trains from Python, with what is saved in a pipeline."""

import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import spacy
from spacy.language import Language
from spacy.training import Example
from thinc.api import Adam

INITIAL_RATE = 0.001
SMALL = {
    "components.bertcrf.model.tok2vec.width": 16,
    "components.bertcrf.model.encoder.hidden_width": 8,
    "training.optimizer.learn_rate.initial_rate": INITIAL_RATE,
}
BEGINNINGS: dict[str, Callable] = {
    "begin_training": lambda nlp, examples: nlp.begin_training(lambda: examples),
    "initialize": lambda nlp, examples: nlp.initialize(lambda: examples),
    "resume_training": lambda nlp, examples: nlp.resume_training(),
    "create_optimizer": lambda nlp, examples: nlp.create_optimizer(),
    "nothing": lambda nlp, examples: None,
}


@pytest.fixture(scope="module")
def saved(
    make_nlp: Callable[..., Language],
    make_examples: Callable[[Language], list[Example]],
    train_corpus: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Path]:
    """A pipeline on disk, with the config of a training of 65 steps; overrides as in `train`. Not
    to be changed."""

    @cache
    def save(**overrides: object) -> Path:
        paths = {"paths.train": str(train_corpus), "paths.dev": str(train_corpus)}
        steps = {"training.max_epochs": 0, "training.max_steps": 64}
        nlp = make_nlp(**SMALL | paths | steps | overrides)
        nlp.initialize(lambda: make_examples(nlp))
        path = tmp_path_factory.mktemp("saved") / "model"
        nlp.to_disk(path)
        return path

    return save


def rates(
    nlp: Language, beginning: str, with_sgd: bool, examples: list[Example], n_steps: int = 4
) -> list[float]:
    """The rate that each of some updates was taken with."""
    optimizer = BEGINNINGS[beginning](nlp, examples)
    found = []
    for _ in range(n_steps):
        nlp.update(examples, sgd=optimizer if with_sgd else None)
        found.append((optimizer if with_sgd else nlp._optimizer).learn_rate)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("with_sgd", [True, False])
@pytest.mark.parametrize("beginning", BEGINNINGS)
@pytest.mark.parametrize("is_corpus_there", [True, False])
@pytest.mark.parametrize(
    "limit",
    [{"max_steps": 64}, pytest.param({"max_epochs": 8, "max_steps": 0}, marks=pytest.mark.slow)],
)
def test_it_is_the_initial_rate_wherever_the_script_runs(
    limit, is_corpus_there, beginning, with_sgd, saved, make_examples, recwarn
):
    """The warm-up's first rate would be a sixth of it, and nothing would be learned in silence."""
    if beginning == "nothing" and with_sgd:
        pytest.skip("there is no optimizer to give")
    paths = {} if is_corpus_there else {"paths.train": "nowhere.spacy"}
    settings = {f"training.{key}": value for key, value in limit.items()}
    nlp = spacy.load(saved(**settings, **paths))
    recwarn.clear()
    with nlp.select_pipes(enable="bertcrf"):
        found = rates(nlp, beginning, with_sgd, make_examples(nlp))
    assert found == [INITIAL_RATE] * 4
    (told,) = [str(w.message) for w in recwarn if "learn_rate" in str(w.message)]
    assert "step_schedules" in told
    assert not [w for w in recwarn if "nowhere" in str(w.message) or "corpus" in str(w.message)]


def test_without_a_bert_folder_it_can_be_trained_on(
    make_nlp, make_examples, train_corpus, tmp_path
):
    """The old batcher's tokenizer is of no concern to a script with batches of its own."""
    paths = {"paths.train": str(train_corpus), "paths.dev": str(train_corpus)}
    nlp = make_nlp("bert_crf", **paths)
    nlp.initialize(lambda: make_examples(nlp))
    nlp.to_disk(tmp_path / "model")
    nlp = spacy.load(tmp_path / "model")
    nlp.config["training"]["batcher"]["tokenizer"] = "nowhere/bert"
    with pytest.warns(UserWarning, match="learn_rate"):
        assert rates(nlp, "nothing", False, make_examples(nlp), 2) == [5e-5] * 2


def test_a_schedule_whose_steps_are_known_is_left_if_nobody_steps_it(saved, make_examples):
    """Warm-up would never end."""
    nlp = spacy.load(saved(**{"training.optimizer.learn_rate.total_steps": 100}))
    with pytest.warns(UserWarning, match="nobody steps it: the rate is 0.001") as told:
        found = rates(nlp, "resume_training", True, make_examples(nlp))
    assert found[1:] == [INITIAL_RATE] * 3
    assert len(told) == 1


@pytest.mark.slow
def test_who_steps_a_schedule_has_it(saved, make_examples):
    """A loop of one's own, with a number of steps of one's own, is a training like any."""
    nlp = spacy.load(saved(**{"training.optimizer.learn_rate.total_steps": 10}))
    optimizer = nlp.resume_training()
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(10):
            nlp.update(make_examples(nlp), sgd=optimizer)
            found.append(optimizer.learn_rate)
            optimizer.step_schedules()
    assert found == pytest.approx(
        [INITIAL_RATE * r for r in (1 / 2, *(n / 9 for n in range(9, 0, -1)))]
    )


def test_an_optimizer_of_ones_own_keeps_its_rate(saved, make_examples, recwarn):
    nlp = spacy.load(saved())
    optimizer = Adam(0.005)
    for _ in range(3):
        nlp.update(make_examples(nlp), sgd=optimizer)
    assert optimizer.learn_rate == 0.005
    assert not [w for w in recwarn if "learn_rate" in str(w.message)]


@pytest.mark.slow
def test_a_new_label_is_learned_from_a_script(saved, make_examples):
    """The most common script there is: load, add a label, update."""
    nlp = spacy.load(saved(**{"training.optimizer.learn_rate.initial_rate": 0.01}))
    nlp.get_pipe("bertcrf").add_label("product")
    doc = nlp.make_doc("北京的张伟喜欢Windows10。")
    start, end = next((t.idx, t.idx + len(t)) for t in doc if t.text.startswith("W"))
    example = Example.from_dict(doc, {"entities": [(start, end, "product")]})
    optimizer = nlp.resume_training()
    with pytest.warns(UserWarning, match="learn_rate"):
        losses = [nlp.update([example], sgd=optimizer)["bertcrf"] for _ in range(60)]
    assert losses[-1] < losses[0] / 4
    assert [ent.label_ for ent in nlp(doc.text).ents] == ["product"]


def test_an_unknown_label_is_refused_with_what_to_do(saved, make_examples):
    nlp = spacy.load(saved())
    example = Example.from_dict(nlp.make_doc("上海"), {"entities": [(0, 2, "city")]})
    with pytest.raises(ValueError, match=r"get_pipe\('bertcrf'\)\.add_label"):
        nlp.update([example], sgd=nlp.resume_training())
