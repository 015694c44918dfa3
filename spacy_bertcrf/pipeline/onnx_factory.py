"""The factory of `bertcrf_onnx`."""

from collections.abc import Callable

from spacy.language import Language

from spacy_bertcrf.pipeline.onnx_recognizer import OnnxEntityRecognizer


@Language.factory(
    "bertcrf_onnx",
    assigns=["doc.ents", "doc.spans", "token.ent_iob", "token.ent_type"],
    default_config={
        "max_batch_tokens": 8192,
        "spans_key": None,
        "threshold": None,
        "overwrite_ents": False,
        "cross_sentences": False,
        "n_threads": 0,
        "scorer": {"@scorers": "spacy.ner_scorer.v1"},
    },
    default_score_weights={"ents_f": 1.0, "ents_p": 0.0, "ents_r": 0.0, "ents_per_type": None},
)
def make_bertcrf_onnx(
    nlp: Language,
    name: str,
    max_batch_tokens: int,
    spans_key: str | None,
    threshold: float | None,
    overwrite_ents: bool,
    cross_sentences: bool,
    n_threads: int,
    scorer: Callable | None,
) -> OnnxEntityRecognizer:
    """A trained `bertcrf` that runs on onnxruntime and NumPy, in float32 on the CPU, for machines
    without torch. `python -m spacy bertcrf to-onnx` makes a pipeline with it of a trained one; it
    has no weights without that, and it does not learn.

    n_threads: of onnxruntime; 0 for one a core. It knows nothing of OMP_NUM_THREADS.

    The other arguments are those of `bertcrf`.
    """
    return OnnxEntityRecognizer(
        nlp.vocab,
        name,
        max_batch_tokens=max_batch_tokens,
        spans_key=spans_key,
        threshold=threshold,
        overwrite_ents=overwrite_ents,
        cross_sentences=cross_sentences,
        n_threads=n_threads,
        scorer=scorer,
    )
