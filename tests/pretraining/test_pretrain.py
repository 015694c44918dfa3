"""Continued pretraining, from texts to a model folder."""

import math
import sys

import numpy as np
import pytest
import torch
from spacy.lang.zh import Chinese
from transformers import AutoConfig, AutoModel, AutoModelForMaskedLM, AutoTokenizer

from spacy_bertcrf.models.bert.bert_encoder import BertEncoder
from spacy_bertcrf.pretraining import pretrain as module
from spacy_bertcrf.pretraining import trainer
from spacy_bertcrf.pretraining.base_model import BaseModel, load_base
from spacy_bertcrf.pretraining.checkpoints import checkpoints_of
from spacy_bertcrf.pretraining.masking import IGNORED
from spacy_bertcrf.pretraining.pretrain import Reading, pretrain
from spacy_bertcrf.pretraining.sequences import Padding
from spacy_bertcrf.pretraining.settings import Settings
from spacy_bertcrf.pretraining.texts import Texts

READING = Reading(max_length=32, held_out_share=0.2)
SETTINGS = Settings(steps=4, batch_size=2, learn_rate=0.01, cpu=True, log_every=1)


@pytest.fixture
def texts(tmp_path):
    places = ("北京大学", "上海大学", "广州大学")
    lines = [f"王小明{i}在{place}工作。" for i in range(12) for place in places]
    (tmp_path / "texts.txt").write_text("\n".join(lines), encoding="utf-8")
    return Texts([tmp_path / "texts.txt"])


def settings(**changes):
    return Settings(**{**vars(SETTINGS), **changes})


def weights(folder):
    return AutoModel.from_pretrained(folder, add_pooling_layer=False).state_dict()


def is_equal(first, second):
    return all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.slow
def test_the_loss_on_held_out_text_falls(tiny_bert, texts, tmp_path):
    """A training that learns nothing, or an evaluation that measures something else."""
    done = pretrain(
        load_base(str(tiny_bert)), texts, tmp_path / "out", READING,
        settings(steps=40, eval_every=20),
    )  # fmt: skip
    assert done.losses.after < done.losses.before - 1
    assert abs(done.losses.before - math.log(len(AutoTokenizer.from_pretrained(tiny_bert)))) < 0.5
    evaluated = [entry["step"] for entry in done.losses.log if "eval_loss" in entry]
    assert evaluated[:3] == [0, 20, 40]
    assert sum("loss" in entry for entry in done.losses.log) == 40
    assert not checkpoints_of(tmp_path / "out").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.slow
def test_bfloat16_needs_no_gpu(tiny_bert, texts, tmp_path):
    """It makes a CPU that has it more than twice as fast; the weights stay in float32."""
    done = pretrain(
        load_base(str(tiny_bert)), texts, tmp_path / "out", READING, settings(steps=20, bf16=True)
    )
    assert done.losses.after < done.losses.before
    assert {weight.dtype for weight in weights(tmp_path / "out").values()} == {torch.float32}


@pytest.mark.slow
def test_what_is_written_opens_where_berts_are_opened(tiny_bert, texts, tmp_path):
    """AutoModel and BertEncoder are the only ways from here to a pipeline."""
    pretrain(load_base(str(tiny_bert)), texts, tmp_path / "out", READING, SETTINGS)
    assert AutoTokenizer.from_pretrained(tmp_path / "out").is_fast
    before, after = weights(tiny_bert), weights(tmp_path / "out")
    assert not torch.equal(*(w["encoder.layer.0.output.dense.weight"] for w in (before, after)))
    encoder = BertEncoder(str(tmp_path / "out"))
    docs = [Chinese()("王小明在北京大学工作。")]
    encoder.initialize(X=docs)
    assert np.isfinite(encoder.predict(docs)[0]).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        "bert",
        *(
            pytest.param(kind, marks=pytest.mark.slow)
            for kind in ("electra", "distilbert", "roberta", "deberta-v2")
        ),
    ],
)
def test_the_loss_is_the_mean_over_masked_wordpieces(kind, tiny_bert, texts, tmp_path, monkeypatch):
    """Perplexity would be that of batches, and change with their size."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    sizes = {"num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 16}
    sizes |= {"intermediate_size": 16, "vocab_size": len(tokenizer), "max_position_embeddings": 64}
    if kind == "distilbert":
        sizes |= {"dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 16}
    config = AutoConfig.for_model(kind, **sizes, pad_token_id=tokenizer.pad_token_id)
    base = BaseModel(AutoModelForMaskedLM.from_config(config), tokenizer, [])
    losses = []
    train = module.train

    def spy(base, sequences, held_out, *args, **kwargs):
        base.model.eval()
        for example in held_out:
            batch = Padding(tokenizer.pad_token_id)([example])
            (labels,) = batch.pop("labels")
            (logits,) = base.model(**batch).logits.detach()
            losses.extend(
                -torch.log_softmax(scores, 0)[label].item()
                for label, scores in zip(labels, logits, strict=True)
                if label != IGNORED
            )
        return train(base, sequences, held_out, *args, **kwargs)

    monkeypatch.setattr(module, "train", spy)
    done = pretrain(base, texts, tmp_path / "out", READING, SETTINGS)
    assert done.n_held_out > SETTINGS.batch_size
    assert done.losses.before == pytest.approx(np.mean(losses), abs=1e-5)
    assert done.losses.after != done.losses.before


@pytest.mark.slow
def test_the_loss_in_training_is_that_of_the_model(tiny_bert, texts, tmp_path):
    """Masked wordpieces are picked out by us: the gradient must be that of the model's own loss."""
    base = load_base(str(tiny_bert))
    base.model.config.hidden_dropout_prob = base.model.config.attention_probs_dropout_prob = 0.0
    base = BaseModel(type(base.model)(base.model.config), base.tokenizer, [])
    twin = type(base.model)(base.model.config).train()
    twin.load_state_dict(base.model.state_dict())
    batches = []

    class Recorded(Padding):
        def __call__(self, examples):
            batches.append(super().__call__(examples))
            return dict(batches[-1])

    padding, trainer.Padding = trainer.Padding, Recorded
    try:
        run = settings(steps=1, accumulate=3)
        done = pretrain(
            base, texts, tmp_path / "out", Reading(max_length=32, held_out_share=0), run
        )
    finally:
        trainer.Padding = padding
    expected = np.mean([twin(**batch).loss.item() for batch in batches[:3]])
    logged = next(entry["loss"] for entry in done.losses.log if "loss" in entry)
    assert logged == pytest.approx(expected, abs=1e-3)
    norm = next(entry["grad_norm"] for entry in done.losses.log if "grad_norm" in entry)
    sum(twin(**batch).loss / 3 for batch in batches[:3]).backward()
    expected = torch.nn.utils.clip_grad_norm_(twin.parameters(), 1.0).item()
    assert norm == pytest.approx(expected, rel=1e-3)


@pytest.mark.slow
def test_epochs_become_steps(tiny_bert, texts, tmp_path):
    """Half of the text would stay unread, or be read twice."""
    done = pretrain(
        load_base(str(tiny_bert)), texts, tmp_path / "out", READING,
        settings(steps=None, epochs=2, accumulate=2),
    )  # fmt: skip
    assert done.n_sequences > 4
    assert done.steps == math.ceil(2 * done.n_sequences / 4)


@pytest.mark.slow
def test_a_resumed_training_ends_where_an_unbroken_one_does(
    tiny_bert, texts, tmp_path, monkeypatch
):
    """A crash would cost the training, or change its result."""
    run = settings(steps=6, save_every=2)
    pretrain(load_base(str(tiny_bert)), texts, tmp_path / "whole", READING, run)
    with monkeypatch.context() as patch:

        class Crashing(module.MaskedSequences):
            def __iter__(self):
                for i, example in enumerate(super().__iter__()):
                    if i == 9:
                        raise OSError("the power is gone")
                    yield example

        patch.setattr(module, "MaskedSequences", Crashing)
        with pytest.raises(OSError, match="power"):
            pretrain(load_base(str(tiny_bert)), texts, tmp_path / "out", READING, run)
    assert not (tmp_path / "out").exists()
    with pytest.raises(ValueError, match="--resume"):
        pretrain(load_base(str(tiny_bert)), texts, tmp_path / "out", READING, run)
    changed = settings(steps=6, save_every=2, learn_rate=0.5)
    with pytest.raises(ValueError, match=r"learn_rate 0\.01, not 0\.5"):
        pretrain(load_base(str(tiny_bert)), texts, tmp_path / "out", READING, changed, resume=True)
    other = load_base(str(tiny_bert))
    with torch.no_grad():
        other.model.get_input_embeddings().weight[7] += 1
    with pytest.raises(ValueError, match="BERT that it began with is not this one"):
        pretrain(other, texts, tmp_path / "out", READING, run, resume=True)
    content = texts.paths[0].read_bytes()
    texts.paths[0].write_bytes(content + "又一句话。\n".encode())
    with pytest.raises(ValueError, match="texts are not what they were"):
        pretrain(load_base(str(tiny_bert)), texts, tmp_path / "out", READING, run, resume=True)
    texts.paths[0].write_bytes(content)
    done = pretrain(load_base(str(tiny_bert)), texts, tmp_path / "out", READING, run, resume=True)
    assert is_equal(weights(tmp_path / "whole"), weights(tmp_path / "out"))
    assert [entry["step"] for entry in done.losses.log if "loss" in entry] == [1, 2, 3, 4, 5, 6]
    assert not checkpoints_of(tmp_path / "out").exists()


def test_there_must_be_something_to_resume(tiny_bert, texts, tmp_path):
    """A mistyped output would start from the beginning, for days."""
    with pytest.raises(ValueError, match="no checkpoint"):
        pretrain(load_base(str(tiny_bert)), texts, tmp_path / "out", READING, SETTINGS, resume=True)


def test_a_failure_without_checkpoints_leaves_nothing(tiny_bert, texts, tmp_path, monkeypatch):
    """A folder that is half a model would be loaded."""
    before = set(tmp_path.iterdir())
    texts.paths[0].write_bytes(texts.paths[0].read_bytes() + b"\n\xff\n")
    with pytest.raises(ValueError, match=r"texts\.txt:37"):
        pretrain(load_base(str(tiny_bert)), texts, tmp_path / "out", READING, SETTINGS)
    assert set(tmp_path.iterdir()) == before


@pytest.mark.slow
def test_a_new_head_is_trained_alone_at_first(tiny_bert, texts, tmp_path):
    """Its random weights would pull the base's out of place."""
    base = load_base(str(tiny_bert))
    base = BaseModel(base.model, base.tokenizer, ["cls.predictions.transform.dense.weight"])
    head = base.model.cls.predictions.transform.dense.weight
    before = head.detach().clone()
    pretrain(base, texts, tmp_path / "out", READING, settings(head_steps=4))
    assert is_equal(weights(tiny_bert), weights(tmp_path / "out"))
    assert not torch.equal(head, before)


def test_without_accelerate_the_extra_is_named(tiny_bert, texts, tmp_path, monkeypatch):
    """transformers' message names neither this package nor its extra."""
    monkeypatch.setitem(sys.modules, "accelerate", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"spacy-bertcrf\[pretrain\]"):
        pretrain(load_base(str(tiny_bert)), texts, tmp_path / "out", READING, SETTINGS)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: settings(batch_size=0), "batch_size must be at least 1"),
        (lambda: settings(steps=-1), "steps must be at least 0"),
        (lambda: settings(warmup=500), "warmup is a share"),
        (lambda: settings(learn_rate=0), "learn_rate must be above 0"),
        (lambda: Reading(held_out_share=1), "share of held-out texts"),
    ],
)
def test_settings_that_cannot_be_are_refused(make, message):
    """torch or transformers would fail later, in words of their own."""
    with pytest.raises(ValueError, match=message):
        make()
