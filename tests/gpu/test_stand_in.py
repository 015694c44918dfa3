"""Training and prediction on a GPU, as far as that can be seen without one: on a device that
stands in for it, in processes of their own, beside the same on the CPU."""

import json
import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from torch.utils import backend_registration

pytestmark = pytest.mark.slow
N_PROCESSES = {"alone": 1, "together": 2}
ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("stand_in_trainings.py")


def misc(name: str, **settings: Any) -> dict[str, Any]:
    return {"@misc": f"spacy-bertcrf.{name}.v1", **settings}


STRATEGIES: dict[str, dict[str, Any]] = {
    "FGM, boundaries": {"a": misc("FGM"), "b": misc("EntityBoundaries")},
    "PGD": {"a": misc("PGD")},
    "RDrop, learned weights": {"a": misc("RDrop"), "b": misc("UncertaintyWeights")},
    "samples, token dropout": {"a": misc("MultiSampleDropout"), "b": misc("TokenDropout")},
    "token losses, child tuning F": {
        "a": misc("TokenCrossEntropy", focal=1.0, smoothing=0.1),
        "b": misc("ChildTuningF"),
    },
    "context loss, child tuning D": {
        "a": misc("ContextLoss", weight=0.5, share=0.3),
        "b": misc("ChildTuningD", steps=2),
    },
    "label weights": {"a": misc("LabelWeights", weights={"O": 0.5, "name": 2.0})},
}
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "AdamW, EMA": {
        "@optimizers": "spacy-bertcrf.AdamW.v1",
        "averages": misc("EMA", decay=0.8),
        "layer_decay": 0.9,
    },
    "AdamW, SWA": {"@optimizers": "spacy-bertcrf.AdamW.v1", "averages": misc("SWA", start=2)},
    "Adam": {"@optimizers": "Adam.v1", "use_averages": True},
    "RAdam": {"@optimizers": "RAdam.v1"},
    "SGD": {"@optimizers": "SGD.v1", "learn_rate": 0.01},
}
ENCODER = "components.bertcrf.model.tok2vec"
SETTINGS: dict[str, dict[str, Any]] = {
    "windows": {
        f"{ENCODER}.window": 8,
        f"{ENCODER}.overlap": 2,
        f"{ENCODER}.alignment": "text",
        f"{ENCODER}.save_dtype": "float16",
        f"{ENCODER}.pooling": "last",
    },
    "recomputed": {
        f"{ENCODER}.max_batch_pieces": 16,
        f"{ENCODER}.gradient_checkpointing": True,
    },
    "BIO, frozen": {
        "components.bertcrf.scheme": "BIO",
        "components.bertcrf.loss_reduction": "token_mean",
        "components.bertcrf.model.freeze_tok2vec": True,
    },
}
CONFIGS = ["bert_bilstm_crf", "cpu_cnn_crf"]
WITH_SEQUENCE_LAYER = [*CONFIGS, "bert_bilstm_crf_en", "bert_tcn_crf", "shared_transformer"]
MORE_CONFIGS = [
    *("bert_bilstm_crf_en", "bert_tcn_crf", "bert_crf", "shared_transformer"),
    *("bert_classifier", "bert_ner_classifier", "bert_spans"),
]
TWINS = [
    *CONFIGS,
    *MORE_CONFIGS,
    *("bert_classifier, mean", "bert_classifier, attention", "bert_spans, pointer"),
    *STRATEGIES,
    *OPTIMIZERS,
    *SETTINGS,
    *("partly annotated", "incorrect spans"),
]
# What a step of a training, and a prediction, may wait for: each wait lets the GPU run dry.
ENCODER_WAIT = {("layers/wordpiece_encoder.py", "encode"): 1}  # transformers looks at the mask
TRAINING_WAITS = {
    **ENCODER_WAIT,
    ("layers/scaled_scan.py", "are_true"): 1,  # emissions and sums are sound
    ("pipeline/objective.py", "_numbers"): 1,  # the losses
    ("training/optimizer/adamw.py", "_factor"): 1,  # the norm of the gradients
}
PREDICTION_WAITS = {**ENCODER_WAIT, ("layers/crf.py", "best_paths"): 1}
MAX_LAUNCHES = {"loss": 279, "best path": 228}  # of a batch of 128 × 64 tokens, 41 tags
FAULTS = {
    "moments_on_the_cpu": "numbers",
    "index_left_behind": "error: RuntimeError('Expected all tensors to be on the same device",
    "gold_tags_on_the_device": "waits",
    "lengths_on_the_device": "error: TypeError(",
    "gradient_of_numpy": "waits",
    "gradient_through_numpy": "error: TypeError(",
    "weights_left_behind": "error: TypeError(",
    "number_asked_for": "waits",
    "index_by_a_mask": "waits",
}


def cases(bert: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """By group, the cases that its processes go through."""

    def case(config: str, **settings: Any) -> dict[str, Any]:
        overrides = {} if config == "cpu_cnn_crf" else {"paths.transformer": str(bert)}
        if config == "bert_ner_classifier":
            overrides["variables.width"] = 32
        if config in WITH_SEQUENCE_LAYER:
            overrides["components.bertcrf.model.encoder.dropout"] = 0.0
            overrides["components.bertcrf.model.encoder.hidden_width"] = 16
        overrides |= settings.pop("overrides", {})
        # With Adam's own eps, gradients that are nothing but rounding would take whole steps; with
        # this, they take half of their own size.
        settings.setdefault("optimizer", {"@optimizers": "spacy-bertcrf.AdamW.v1"})
        settings["optimizer"] = {"learn_rate": 0.005, **settings["optimizer"]}
        if settings["optimizer"]["@optimizers"] != "SGD.v1":
            settings["optimizer"].setdefault("eps", 1e-2)
        return {"config": config, "overrides": overrides, **settings}

    alone = {
        "bert_bilstm_crf": case("bert_bilstm_crf", features=True),
        "cpu_cnn_crf": case("cpu_cnn_crf"),
        "crf": {"kind": "crf", "size": (128, 64, 41)},
    }
    alone |= {name: case(name) for name in MORE_CONFIGS}
    for pooling in ("mean", "attention"):
        alone[f"bert_classifier, {pooling}"] = case(
            "bert_classifier", overrides={"components.textcat.model.pooling": pooling}
        )
    alone["bert_spans, pointer"] = case(
        "bert_spans",
        overrides={
            "components.bertcrf_spans.model.head": {"@layers": "spacy-bertcrf.GlobalPointer.v1"}
        },
    )
    for name, strategies in STRATEGIES.items():
        alone[name] = case("bert_bilstm_crf", strategies=strategies)
    for name, optimizer in OPTIMIZERS.items():
        alone[name] = case("bert_crf", optimizer=optimizer)
    for name, overrides in SETTINGS.items():
        alone[name] = case("bert_bilstm_crf", overrides=overrides)
    alone["partly annotated"] = case("bert_bilstm_crf", missing=True)
    alone["incorrect spans"] = case(
        "bert_bilstm_crf",
        missing=True,
        incorrect=True,
        overrides={"components.bertcrf.incorrect_spans_key": "incorrect"},
    )
    loop = {
        "training.max_epochs": 0,
        "training.max_steps": 7,
        "training.eval_frequency": 4,
        "training.dropout": 0.0,
        "training.batcher": {"@batchers": "spacy.batch_by_sequence.v1", "size": 2},
        "training.optimizer.averages": misc("EMA", decay=0.8),
        "training.optimizer.learn_rate": 0.005,
        "training.optimizer.eps": 1e-4,
    }
    going_on = {
        "kind": "resumed",
        **case("bert_bilstm_crf", overrides=loop),
        "strategies": {
            "child": misc("ChildTuningD", steps=3),
            "context": misc("ContextLoss"),
            "weights": misc("UncertaintyWeights"),
        },
    }
    alone["resumed"] = going_on
    alone["resumed, wrong device"] = {**going_on, "fault": "state_restored_to_the_cpu"}
    alone["faults"] = {"kind": "fault", **case("bert_bilstm_crf"), "faults": [*FAULTS]}
    nothing_drawn = {**going_on["strategies"], "context": misc("TokenCrossEntropy")}
    of_processes = {"kind": "processes", "strategies drawing nothing": nothing_drawn}
    return {"alone": alone, "together": {"processes": {**going_on, **of_processes}}}


@pytest.fixture(scope="session")
def on_stand_in(
    tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], dict[str, Any]]:
    """What was found out in a case. All run from one start, for it takes longest."""
    if not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"):
        pytest.skip("this torch has no devices that are written in Python")
    if not hasattr(os, "fork"):
        pytest.skip("Windows does not fork")
    folder = tmp_path_factory.mktemp("stand_in")
    groups = []
    for group, of_group in cases(tiny_bert).items():
        (folder / f"{group}.json").write_text(json.dumps(of_group))
        n, port = N_PROCESSES[group], free_port()
        where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(n)}
        groups.append(
            [
                {
                    "environment": {**where, "RANK": str(rank), "LOCAL_RANK": str(rank)},
                    "cases": str(folder / f"{group}.json"),
                    "output": str(folder / f"{group}-{rank}.json"),
                }
                for rank in range(n)
            ]
        )
    (folder / "groups.json").write_text(json.dumps(groups))
    result = subprocess.run(
        [sys.executable, SCRIPT, folder / "groups.json"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    outcome: dict[str, Any] = {}
    for group in N_PROCESSES:
        outcome |= json.loads((folder / f"{group}-0.json").read_text())

    def found(name: str) -> Any:
        of_case = outcome[name]
        assert "error" not in of_case, of_case["error"]
        return of_case

    return found


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize("name", TWINS)
def test_a_gpu_learns_and_predicts_what_the_cpu_does(on_stand_in, name):
    """A value left on the CPU, or a copy where memory should be shared, shows itself in an error
    or in other numbers, and mostly not in the first step."""
    found = on_stand_in(name)
    assert found["learned"] > 1e-3
    assert found["difference"] < 1e-5
    assert found["different losses"] == []
    assert found["different predictions"] == []
    assert found["elsewhere"] == []


@pytest.mark.parametrize(
    "name", ["bert_bilstm_crf", "bert_bilstm_crf_en", "bert_tcn_crf", "bert_crf"]
)
@pytest.mark.parametrize(
    ("part", "budget"), [("step", TRAINING_WAITS), ("prediction", PREDICTION_WAITS)]
)
def test_nothing_more_is_waited_for(on_stand_in, name, part, budget):
    """An `.item()`, an index by a mask, a copy to or from the GPU that is waited for: each costs
    the time of all that the GPU has still to do."""
    beyond = Counter()
    places = []
    for file, function, line, what, n in on_stand_in(name)[part]["waits"]:
        beyond[file, function] += n
        places.append(f"{file}:{line} ({function}) waits {n} × for {what}")
    beyond.subtract(budget)
    assert max(beyond.values(), default=0) <= 0, "\n".join(places)


@pytest.mark.parametrize("what", MAX_LAUNCHES)
def test_the_crf_launches_no_more_operations(on_stand_in, what):
    """Each costs microseconds on a GPU, however small it is."""
    found = on_stand_in("crf")[what]
    assert found["launches"] <= MAX_LAUNCHES[what]
    assert len(found["waits"]) == 1


def test_every_shipped_config_is_tried():
    assert {*CONFIGS, *MORE_CONFIGS} == {path.stem for path in (ROOT / "configs").glob("*.cfg")}


def test_all_that_a_trained_pipeline_can_do_is_the_same(on_stand_in):
    """k best, probabilities, calibration, saving, loading on either device, new labels."""
    assert on_stand_in("bert_bilstm_crf")["different features"] == []


def test_a_training_goes_on_after_a_kill(on_stand_in):
    """From a checkpoint all comes back to where it was: weights, moments, averages, strategies."""
    found = on_stand_in("resumed")
    assert found["difference"] == 0
    assert found["elsewhere"] == []


def test_two_processes_learn_what_one_does(on_stand_in):
    """Under NCCL's rules: on GPUs alone, of these types, in one piece. What one process of a CPU
    learns from the same batches is the truth."""
    found = on_stand_in("processes")
    assert found["different"] == []
    assert found["elsewhere"] == []
    assert found["sent early"] > 0
    assert found["difference to the CPU"] < 1e-5


def test_processes_do_not_draw_the_same_numbers(on_stand_in):
    """Else dropout would take the same values away from the parts of a batch."""
    first, second = on_stand_in("processes")["drawn"]
    assert first != second


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_found(on_stand_in, fault):
    """Else these tests would pass whatever is wrong on a GPU."""
    assert on_stand_in("faults")[fault].startswith(FAULTS[fault])


def test_what_a_checkpoint_brings_to_the_wrong_device_is_found(on_stand_in):
    assert "on the same device" in on_stand_in("resumed, wrong device")["found"]
