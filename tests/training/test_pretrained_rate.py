"""A learning rate that ruins a pretrained BERT is told; the shipped ones are not."""

import io

import pytest
import spacy
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as spacy_train
from spacy.util import load_config
from thinc.api import Adam, Config

from spacy_bertcrf.models.bridge.pretrained_rate import BLOCK
from spacy_bertcrf.pretraining.new_bert import Size, init_bert
from spacy_bertcrf.training.loop import train as bertcrf_train

LINEAR = {
    "@schedules": "warmup_linear.v1",
    "initial_rate": 5e-5,
    "warmup_steps": 3,
    "total_steps": 10,
}


def adam(rate):
    return {"@optimizers": "Adam.v1", "learn_rate": rate}


@pytest.fixture(scope="module")
def wide_bert(tmp_path_factory):
    """As wide as the narrowest that are pretrained."""
    folder = tmp_path_factory.mktemp("wide")
    corpus = folder / "corpus.txt"
    corpus.write_text("王小明在北京大学工作。李雷和韩梅梅去了上海。\n" * 2, encoding="utf-8")
    return init_bert(folder / "bert", [corpus], size=Size(1, 256, 2)).path


@pytest.fixture
def told(wide_bert, train_corpus, recwarn):
    """What a training of some steps says of its learning rate."""

    def run(train, config="bert_crf", bert=wide_bert, n_steps=10, **overrides):
        overrides = {
            "paths.train": str(train_corpus),
            "paths.dev": str(train_corpus),
            "paths.transformer": str(bert),
            "training.max_epochs": 0,
            "training.max_steps": n_steps,
            "training.eval_frequency": 100,
            "initialize.after_init.evaluations": 1,
            **overrides,
        }
        nlp = init_nlp(load_config(f"configs/{config}.cfg", overrides=overrides))
        train(nlp, None, stdout=io.StringIO(), stderr=io.StringIO())
        return [text for w in recwarn if "A BERT is trained" in (text := str(w.message))]

    return run


@pytest.mark.slow
@pytest.mark.parametrize("train", [spacy_train, bertcrf_train])
@pytest.mark.parametrize(
    ("optimizer", "message"),
    [(adam(0.001), "at a learning rate of 0.001"), (adam(5e-5), "without warm-up")],
)
def test_spacys_own_optimizer_is_told_once(train, optimizer, message, told):
    """`spacy init config` writes Adam at a constant 0.001, and every score was 0 without a word."""
    (said,) = told(train, **{"training.optimizer": optimizer})
    assert message in said
    assert "init-config" in said


@pytest.mark.slow
def test_so_it_is_where_components_share_a_bert(told):
    (said,) = told(spacy_train, "shared_transformer", **{"training.optimizer": adam(0.001)})
    assert "0.001" in said


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"training.optimizer.learn_rate.initial_rate": 5e-4},
        {"training.optimizer": adam(LINEAR)},
        {"training.optimizer": adam(0.001), "components.bertcrf.model.freeze_tok2vec": True},
    ],
)
def test_a_rate_that_does_no_harm_is_not_told(overrides, told):
    """A warning in every training is read in none."""
    assert told(spacy_train, **overrides) == []


@pytest.mark.slow
def test_a_narrow_bert_without_pretraining_may_learn_fast(tiny_bert, told):
    """The sample's learns nothing at a pretrained one's rate."""
    rate = {"training.optimizer.learn_rate.initial_rate": 0.001}
    assert told(spacy_train, bert=tiny_bert, **rate) == []


@pytest.mark.slow
def test_a_group_of_its_own_counts_for_the_bert(told):
    """The rate of all else may be what it likes, and that of BERT may not."""
    rate = {"training.optimizer.learn_rate.initial_rate": 0.001}
    slow = {"pattern": "bert_encoder.*", "learn_rate_scale": 0.05}
    key = "training.optimizer.groups"
    assert told(spacy_train, **rate, **{key: {"bert": slow}}) == []
    fast = {"pattern": "bert_encoder.*", "learn_rate_scale": 50.0}
    (said,) = told(spacy_train, **{key: {"bert": fast}})
    assert "Above 0.0005" in said


@pytest.mark.slow
def test_what_is_trained_on_from_python_needs_no_warm_up(
    make_nlp, wide_bert, make_examples, recwarn
):
    """It was trained before; but a rate that ruins it is told here too."""
    nlp = make_nlp("bert_crf")
    nlp.config["components"]["bertcrf"]["model"]["tok2vec"]["name"] = str(wide_bert)
    nlp = spacy.util.load_model_from_config(nlp.config, auto_fill=True)
    nlp.initialize(lambda: make_examples(nlp))
    for rate, n_told in ((5e-5, 0), (0.001, 1), (0.001, 1)):
        for _ in range(2):
            nlp.update(make_examples(nlp), sgd=Adam(rate))
        assert sum("A BERT is trained" in str(w.message) for w in recwarn) == n_told


def test_the_block_of_the_warning_is_one_that_can_be_pasted(make_nlp, make_examples):
    """Advice that is an error in its turn."""
    config = make_nlp("bert_crf").config
    config["training"]["optimizer"] = Config().from_str(f"[training]\n{BLOCK}")["training"][
        "optimizer"
    ]
    nlp = spacy.util.load_model_from_config(config, auto_fill=True)
    optimizer = nlp.initialize(lambda: make_examples(nlp))
    nlp.update(make_examples(nlp), sgd=optimizer)
    optimizer.step_schedules()  # refuses a group without parameters
