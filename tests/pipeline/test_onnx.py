"""`bertcrf_onnx`: what a trained pipeline finds, without torch."""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import load_model_from_config

from spacy_bertcrf.pipeline.onnx_export import export_to_onnx

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

LONG = "王小明在北京大学工作，李雷和韩梅梅去了上海。" * 60  # more than a window
TEXTS = ["王小明在北京大学工作。", "李雷和韩梅梅去了上海。", "", " \n", LONG, "a b"]
KEY = "scores"
PIECES = "components.bertcrf.model.tok2vec"


@pytest.fixture(params=["bert_crf", "bert_bilstm_crf", "bert_tcn_crf"])
def trained_bert(request: pytest.FixtureRequest, trained_as: Callable[[str], Language]) -> Language:
    """A pipeline with each sequence layer. Not to be changed."""
    return trained_as(request.param)


def copied(nlp: Language) -> Language:
    copy = load_model_from_config(nlp.config, auto_fill=True).from_bytes(nlp.to_bytes())
    copy.get_pipe("bertcrf").spans_key = KEY
    return copy


def exported(nlp: Language) -> Language:
    copy = copied(nlp)
    assert export_to_onnx(copy) == ["bertcrf"]
    copy.get_pipe("bertcrf").spans_key = KEY
    return copy


def check_alike(found: Doc, expected: Doc) -> None:
    assert [(e.start, e.end, e.label_) for e in found.ents] == [
        (e.start, e.end, e.label_) for e in expected.ents
    ]
    scores, of_torch = (doc.spans[KEY].attrs["scores"] for doc in (found, expected))
    assert scores == pytest.approx(of_torch, abs=1e-4)
    assert found.to_array("ENT_IOB").tolist() == expected.to_array("ENT_IOB").tolist()


def test_it_finds_what_torch_finds(trained_bert):
    """An exported pipeline would find other entities, or other scores."""
    found, expected = exported(trained_bert), copied(trained_bert)
    n_entities = 0
    for of_onnx, of_torch in zip(found.pipe(TEXTS), expected.pipe(TEXTS), strict=True):
        check_alike(of_onnx, of_torch)
        n_entities += len(of_torch.ents)
    assert n_entities > 100
    check_alike(found(TEXTS[0]), expected(TEXTS[0]))


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        {"components.bertcrf.scheme": "BIO", f"{PIECES}.pooling": "first"},
        {f"{PIECES}.alignment": "text", f"{PIECES}.window": 64, f"{PIECES}.overlap": 16},
        {"components.bertcrf.overwrite_ents": True, "components.bertcrf.threshold": 0.5},
        {"components.bertcrf.cross_sentences": True, f"{PIECES}.mixed_precision": True},
    ],
)
def test_settings_mean_what_they_mean_for_torch(make_trained, overrides):
    """What is read in windows, pooled or given would come out otherwise."""
    nlp = make_trained("bert_bilstm_crf", **overrides)
    found, expected = exported(nlp), copied(nlp)
    if f"{PIECES}.mixed_precision" in overrides:  # it is exported in float32
        plain = {**overrides, f"{PIECES}.mixed_precision": False}
        expected = make_trained("bert_bilstm_crf", n_steps=0, **plain)
        expected.get_pipe("bertcrf").from_bytes(nlp.get_pipe("bertcrf").to_bytes())
        expected.get_pipe("bertcrf").spans_key = KEY
    for text in TEXTS:
        given = [nlp.make_doc(text) for nlp in (found, expected)]
        for doc in given:
            if len(doc) > 6:
                doc.ents = [doc.char_span(3, 5, label="GIVEN")]
                doc[6].is_sent_start = True
        check_alike(*(nlp(doc) for nlp, doc in zip((found, expected), given, strict=True)))


def test_it_is_saved_loaded_sent_and_pickled(trained_as, tmp_path):
    """The folder is all that a machine without torch gets."""
    nlp = exported(trained_as("bert_bilstm_crf"))
    nlp.to_disk(tmp_path)
    of_config = {"components": {"bertcrf": {"spans_key": KEY}}}
    from_disk = spacy.load(tmp_path, config=of_config)
    from_bytes = load_model_from_config(nlp.config, auto_fill=True).from_bytes(nlp.to_bytes())
    from_bytes.get_pipe("bertcrf").spans_key = KEY
    for copy in (from_disk, from_bytes, pickle.loads(pickle.dumps(nlp))):
        check_alike(copy(TEXTS[0]), nlp(TEXTS[0]))
        assert copy.get_pipe("bertcrf").labels == nlp.get_pipe("bertcrf").labels


@pytest.mark.slow
def test_the_model_can_be_left_out(trained_as, tmp_path):
    """As of any component of spaCy's: what is excluded is neither written nor read."""
    component = exported(trained_as("bert_crf")).get_pipe("bertcrf")
    component.to_disk(tmp_path / "without", exclude=["model"])
    assert not any((tmp_path / "without").iterdir())
    without = component.to_bytes(exclude=["model"])
    assert len(without) < 100
    component.to_disk(tmp_path / "whole")
    new = spacy.blank("zh").add_pipe("bertcrf_onnx")
    new.from_disk(tmp_path / "whole", exclude=["model"])
    new.from_bytes(component.to_bytes(), exclude=["model"]).from_bytes(without)
    assert new.labels == ()
    assert component.from_disk(tmp_path / "without").from_bytes(without).labels


def test_other_processes_read_with_it(trained_as):
    """A process that is forked has none of the threads of onnxruntime, and would wait for them."""
    nlp = exported(trained_as("bert_crf"))
    expected = [[ent.text for ent in doc.ents] for doc in nlp.pipe(TEXTS)]
    found = [[ent.text for ent in doc.ents] for doc in nlp.pipe(TEXTS, n_process=2, batch_size=2)]
    assert found == expected


def test_it_is_evaluated_and_fails_like_a_component_of_spacys(trained_as, make_examples):
    """`spacy evaluate` and error handlers would not work."""
    nlp = exported(trained_as("bert_crf"))
    assert nlp.evaluate(make_examples(nlp))["ents_f"] == 1.0
    failed: list[Doc] = []
    recognizer = nlp.get_pipe("bertcrf")
    emissions = recognizer.model.emissions

    def fail(docs):
        if any(doc.text == "a b" for doc in docs):
            raise RuntimeError("no")
        return emissions(docs)

    recognizer.model.emissions = fail
    nlp.set_error_handler(lambda name, component, docs, error: failed.extend(docs))
    done = [doc.text for doc in nlp.pipe([*TEXTS[:2], "a b"])]
    assert done == TEXTS[:2]
    assert [doc.text for doc in failed] == ["a b"]


def test_what_cannot_be_exported_is_an_error(trained, trained_as, make_nlp):
    """A pipeline would be written that needs torch all the same, or one without a model."""
    with pytest.raises(ValueError, match="'bertcrf' cannot be exported: its token vectors"):
        export_to_onnx(copied(trained))
    with pytest.raises(ValueError, match="has no weights yet"):
        export_to_onnx(make_nlp("bert_crf"))
    other = spacy.blank("en")
    other.add_pipe("sentencizer")
    with pytest.raises(ValueError, match=r"no component 'bertcrf'.*sentencizer"):
        export_to_onnx(other)
    nlp = copied(trained_as("bert_crf"))
    nlp.add_pipe("bertcrf", name="other", source=copied(trained))
    with pytest.raises(ValueError, match="'other' cannot be exported"):
        export_to_onnx(nlp)
    assert nlp.get_pipe_meta("bertcrf").factory == "bertcrf"


def test_before_it_has_a_model(tmp_path):
    """Where `add_pipe` is taken for the way to get one."""
    nlp = spacy.blank("zh")
    recognizer = nlp.add_pipe("bertcrf_onnx")
    assert recognizer.labels == ()
    with pytest.raises(ValueError, match="E109"):
        nlp("王小明")
    nlp.to_disk(tmp_path)
    assert spacy.load(tmp_path).get_pipe("bertcrf_onnx").model is None
    for wrong in ({"n_threads": -1}, {"threshold": 2.0}, {"max_batch_tokens": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            spacy.blank("zh").add_pipe("bertcrf_onnx", config=wrong)


WITHOUT_TORCH = """
import sys
for name in ("torch", "torchcrf"):
    sys.modules[name] = None  # as if it were not installed
import spacy
nlp = spacy.load(sys.argv[1])
print([[ent.text for ent in doc.ents] for doc in nlp.pipe(sys.argv[2:])])
import spacy_bertcrf.cli  # which spaCy's command line imports with each of its commands
"""


@pytest.mark.slow
def test_there_is_no_torch(trained_as, tmp_path):
    """That is what it is for."""
    nlp = exported(trained_as("bert_bilstm_crf"))
    nlp.to_disk(tmp_path / "model")
    # spacy-transformers needs torch as soon as it is there. Of two distributions of a name the
    # first on the path counts, and this one has no components.
    hidden = tmp_path / "path" / "spacy_transformers-0.dist-info"
    hidden.mkdir(parents=True)
    (hidden / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: spacy-transformers\nVersion: 0\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(tmp_path / "model"), *TEXTS[:2]],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "path")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str([[e.text for e in doc.ents] for doc in nlp.pipe(TEXTS[:2])])


def test_means_of_wordpieces_are_those_of_torch(trained_as):
    """A word of several wordpieces would have another vector."""
    nlp = exported(trained_as("bert_crf"))
    model = nlp.get_pipe("bertcrf").model
    docs = [Doc(nlp.vocab, words=["北京大学", "在", "2024", "\u200b", "北京"])]
    of_torch = trained_as("bert_crf").get_pipe("bertcrf").model.predict(docs).dataXd
    assert model.emissions(docs) == pytest.approx(np.asarray(of_torch), abs=1e-3)


def test_examples_partly_annotated_are_judged_alike(trained_as):
    """Predicted entities of labels that nobody annotated would count as wrong."""
    from spacy_bertcrf.corpora.annotated_labels import mark_annotated

    nlp = exported(trained_as("bert_crf"))
    reference = nlp.make_doc(TEXTS[0])
    label = nlp(TEXTS[0]).ents[0].label_
    reference.ents = [ent for ent in nlp(TEXTS[0]).ents if ent.label_ == label]
    mark_annotated(reference, [label])
    assert nlp.evaluate([Example(nlp.make_doc(TEXTS[0]), reference)])["ents_f"] == 1.0
