"""Trainings by two and three real processes, over gloo, beside the same by one."""

import json
import socket
from contextlib import closing
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).with_name("trainings.py")
TAGGER = {
    "factory": "tagger",
    "model": {
        "@architectures": "spacy.Tagger.v2",
        "tok2vec": {
            "@architectures": "spacy-transformers.TransformerListener.v1",
            "grad_factor": 1.0,
            "upstream": "*",
            "pooling": {"@layers": "reduce_mean.v1"},
        },
    },
}
TEXTCAT = {
    "factory": "textcat_multilabel",
    "model": {
        "@architectures": "spacy.TextCatBOW.v3",
        "exclusive_classes": False,
        "length": 256,
        "ngram_size": 1,
        "no_output_layer": False,
    },
}
STRATEGIES = {
    "twice": {"@misc": "spacy-bertcrf.RDrop.v1"},
    "weights": {"@misc": "spacy-bertcrf.UncertaintyWeights.v1"},
    "tokens": {"@misc": "spacy-bertcrf.TokenCrossEntropy.v1"},
    "child": {"@misc": "spacy-bertcrf.ChildTuningD.v1", "steps": 2},
}
RANDOM = {
    "weights": {"@misc": "spacy-bertcrf.UncertaintyWeights.v1"},
    "context": {"@misc": "spacy-bertcrf.ContextLoss.v1"},
    "child": {"@misc": "spacy-bertcrf.ChildTuningF.v1"},
    "fgm": {"@misc": "spacy-bertcrf.FGM.v1"},
}
PGD = {"pgd": {"@misc": "spacy-bertcrf.PGD.v1", "steps": 2}}
UNFREEZING = {"@callbacks": "spacy-bertcrf.gradual_unfreezing.v1", "unit": "steps"}


@pytest.fixture(scope="session")
def results(start_python, tagged_corpus, tiny_bert, tmp_path_factory):
    """What rank 0 found out of each case, in three processes that go through all of them."""

    def case(
        n,
        config,
        batch=4,
        more=None,
        strategies=None,
        dropout=0.0,
        gradient_dtype="float32",
        folder="",
        **overrides,
    ):
        settings = {
            "paths.train": str(tagged_corpus),
            "paths.dev": str(tagged_corpus),
            "training.dropout": dropout,
            "training.max_epochs": 0,
            "training.max_steps": 4,
            "training.eval_frequency": 2,
            "training.batcher": {"@batchers": "spacy.batch_by_sequence.v1", "size": batch},
            "training.optimizer.learn_rate": 0.01,
            # With Adam's own, gradients that are nothing but rounding would take whole steps.
            "training.optimizer.eps": 1e-4,
            "components.bertcrf.model.encoder.dropout": 0.0,
            **overrides,
        }
        if config == "cpu_cnn_crf":
            settings["components.bertcrf.model.tok2vec.width"] = 16
        else:
            settings["paths.transformer"] = str(tiny_bert)
        return {
            "n": n,
            "config": config,
            "overrides": settings,
            "more": more or {},
            "strategies": strategies or {},
            "dropout": bool(dropout),
            "gradient_dtype": gradient_dtype,
            "folder": folder,
        }

    folder = tmp_path_factory.mktemp("ranks")
    killed = {"training.before_update": {"@callbacks": "tests.killing.v1"}}
    accumulated = {"training.accumulate_gradient": 2}
    small = {"components.bertcrf.model.encoder.hidden_width": 16}
    token_mean = {"components.bertcrf.loss_reduction": "token_mean"}
    frozen_bert = {"components.bertcrf.model.freeze_tok2vec": True}
    recomputed = {"components.bertcrf.model.tok2vec.max_batch_pieces": 16}
    averages = {"training.optimizer.averages": {"@misc": "spacy-bertcrf.EMA.v1"}}
    cases = {
        "thinc layers and a tagger": case(
            2,
            "cpu_cnn_crf",
            more={"tagger": {"factory": "tagger"}, "textcat": TEXTCAT},
            **small,
            # The tagger's gradients are sums, of which larger steps amplify the rounding.
            **{"training.optimizer.learn_rate": 0.002},
        ),
        "bilstm": case(2, "bert_bilstm_crf", **small),
        "tcn, accumulated": case(2, "bert_tcn_crf", **small, **accumulated),
        "shared, accumulated": case(2, "shared_transformer", **small, **accumulated),
        "shared with a tagger": case(
            2, "shared_transformer", more={"tagger": TAGGER}, **small, **token_mean
        ),
        "frozen": case(2, "bert_bilstm_crf", **small, **frozen_bert),
        "strategies": case(
            2, "bert_bilstm_crf", strategies=STRATEGIES, **small, **accumulated, **token_mean
        ),
        "uneven": case(3, "bert_bilstm_crf", batch=5, **small, **accumulated, **recomputed),
        "unfrozen from the top": case(
            2, "bert_bilstm_crf", **small, **{"training.before_update": UNFREEZING}
        ),
        "adversarial": case(2, "bert_bilstm_crf", strategies=PGD, **small, **accumulated),
        "compressed": case(2, "bert_bilstm_crf", gradient_dtype="bfloat16", **small),
        "resumed": case(
            3, "bert_bilstm_crf", 5, dropout=0.2, folder=str(folder), **small, **killed
        ),
        "one text a batch": case(3, "shared_transformer", batch=1, **small),
        "random": case(
            3, "bert_bilstm_crf", 2, strategies=RANDOM, dropout=0.2, **small, **averages
        ),
    }
    (folder / "cases.json").write_text(json.dumps(cases))
    environment = {
        "OMP_NUM_THREADS": "1",
        "MASTER_ADDR": "127.0.0.1",
        "PORT_2": str(free_port()),
        "PORT_3": str(free_port()),
    }
    arguments = [SCRIPT, folder / "cases.json", folder / "results.json"]
    processes = [
        start_python(*arguments, rank, printed=folder / f"{rank}.txt", environment=environment)
        for rank in range(3)
    ]
    said = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], "\n".join(said)
    return json.loads((folder / "results.json").read_text())


def free_port():
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize(
    "name",
    [
        "thinc layers and a tagger",
        "bilstm",
        "tcn, accumulated",
        "shared, accumulated",
        "shared with a tagger",
        "frozen",
        "strategies",
        "uneven",
        "unfrozen from the top",
        "one text a batch",
    ],
)
def test_several_processes_learn_what_one_does(results, name):
    """Else the number of GPUs would change the result, silently."""
    found = results[name]
    assert found["learned"] > 1e-3
    assert found["difference to one process"] < 1e-5
    assert found["different between ranks"] == []
    assert len(found["losses"]) == len(found["losses alone"]) > 1
    for losses, alone in zip(found["losses"], found["losses alone"], strict=True):
        assert losses == pytest.approx(alone, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("name", ["thinc layers and a tagger", "shared with a tagger", "uneven"])
def test_scores_are_those_of_one_process(results, name):
    """All processes predict; scored are all the Docs, and in full."""
    for scores, alone in zip(results[name]["scores"], results[name]["scores alone"], strict=True):
        assert scores.pop("speed") > 0
        assert alone.pop("speed") > 0
        assert scores == alone


@pytest.mark.parametrize(
    "name",
    ["bilstm", "tcn, accumulated", "shared, accumulated", "strategies", "adversarial"],
)
def test_gradients_are_sent_during_the_backward_pass(results, name):
    """Not only after it, when nothing is left to be computed meanwhile; and once, also where
    strategies learn a batch several times."""
    assert results[name]["different between ranks"] == []
    assert results[name]["sent early"] > 3
    assert results[name]["sent too early"] == 0


def test_a_training_goes_on_after_a_kill_as_if_there_had_been_none(results):
    """Bit for bit: of three processes, the sums depend on how gradients are put together, which
    is learned in the first steps."""
    assert "after 2 steps" in " ".join(results["resumed"]["printed"].split())
    assert results["resumed"]["difference"] == 0


def test_compressed_gradients_are_half_as_large(results):
    """And rounded: more than that must not change."""
    compressed, usual = results["compressed"], results["bilstm"]
    assert compressed["different between ranks"] == []
    assert 0.5 <= compressed["bytes sent"] / usual["bytes sent"] < 0.6
    assert 1e-5 < compressed["difference to one process"] < 0.1 * compressed["learned"]
    assert "bfloat16" in compressed["printed"]


def test_random_choices_do_not_part_the_processes(results):
    """Else their weights would drift away from one another, and the gradients be of no use."""
    assert results["random"]["different between ranks"] == []
    assert results["random"]["difference to one process"] > 1e-4


def test_nothing_frozen_is_sent(results):
    """It would take most of the time of each step, for nothing."""
    sent, weights = results["frozen"]["bytes sent"], results["frozen"]["bytes of weights"]
    whole = results["bilstm"]["bytes sent"]
    assert 0 < sent < 0.5 * whole
    assert whole <= weights["bertcrf"]


def test_the_start_says_what_a_batch_is(results):
    """Users of other tools expect the config's batch to be that of each GPU."""
    printed = " ".join(results["bilstm"]["printed"].split())
    assert "Batch size: 4 = 2 per process × 2 processes" in printed
    assert "learning rate" in printed
