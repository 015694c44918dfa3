"""A pipeline whose `bertcrf` components run on onnxruntime."""

from spacy.language import Language

from spacy_bertcrf.models.onnx.export import exported, runs_on_torch
from spacy_bertcrf.pipeline.entity_recognizer import CRFEntityRecognizer
from spacy_bertcrf.pipeline.onnx_recognizer import OnnxEntityRecognizer

KEPT = ("max_batch_tokens", "spans_key", "threshold", "overwrite_ents", "cross_sentences", "scorer")


def export_to_onnx(nlp: Language, int8: bool = False) -> list[str]:
    """Put a `bertcrf_onnx` in the place of each `bertcrf`, with its settings and its name.

    int8: multiply in 8 bits, which takes a quarter of the memory and changes some predictions.

    Returns the names. Raises ValueError, with the component, if there is none, if one cannot be
    exported, and if another component runs on torch; ImportError if there is no onnxruntime. The
    pipeline is left as it is then.
    """
    models = {}
    for name, component in nlp.components:
        if isinstance(component, CRFEntityRecognizer):
            if not component.is_initialized:
                raise ValueError(f"'{name}' has no weights yet: train the pipeline first.")
            try:
                models[name] = exported(component.model, component.temperature, int8)
            except ValueError as error:
                raise ValueError(f"'{name}' cannot be exported: {error}.") from error
        elif runs_on_torch(getattr(component, "model", None)):
            raise ValueError(
                f"The component '{name}' runs on torch, and only a bertcrf can be exported. Take "
                "it out of the pipeline first (nlp.remove_pipe), or keep the pipeline as it is."
            )
    if not models:
        raise ValueError(
            "The pipeline has no component 'bertcrf'. Its components are: "
            f"{', '.join(nlp.component_names) or 'none'}."
        )
    disabled = nlp.disabled
    for name, model in models.items():
        settings = nlp.get_pipe_config(name)
        nlp.replace_pipe(
            name, "bertcrf_onnx", config={key: settings[key] for key in KEPT if key in settings}
        )
        component = nlp.get_pipe(name)
        assert isinstance(component, OnnxEntityRecognizer)
        component.use(model)
    nlp.select_pipes(disable=disabled)
    return [*models]
