"""The config of a training that goes on from a pipeline, and rehearses what it believed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wasabi import msg

REHEARSAL = "rehearsal"  # the name of the strategy


def with_rehearsal(
    config: Any, old: Path, texts: Sequence[str], output: Path, weight: float
) -> Any:
    """The config with the component and the tokenizer of a pipeline, its weights to begin with, raw
    texts behind the training corpus, and a strategy that keeps what the pipeline believes of
    them.

    old: the folder of the pipeline. texts: files of raw texts. output: of the training. weight:
    of what the old pipeline believes.

    Raises ValueError if the training would write over the pipeline, and if that is of another
    language, or has not one component that is a bertcrf or bertcrf_spans with a tok2vec inside it.
    """
    import spacy
    from spacy.util import load_config

    from spacy_bertcrf.cli.raw_texts import add_texts, say_what_was_taken, take_texts, texts_of
    from spacy_bertcrf.training.saved_pipelines import MODEL_BEST, MODEL_LAST

    if not (old / "config.cfg").is_file():
        raise ValueError(f"--rehearse {old}: there is no pipeline in this folder.")
    if old.resolve() in [(output / name).resolve() for name in (MODEL_BEST, MODEL_LAST)]:
        raise ValueError(
            f"--rehearse {old} would be written over by the training in {output}, which is to "
            "learn from it to its end. Name another --output."
        )
    saved = load_config(old / "config.cfg", interpolate=True)
    names = list(saved["nlp"]["pipeline"])
    factories = [saved["components"][name].get("factory") for name in names]
    if len(names) != 1 or factories[0] not in ("bertcrf", "bertcrf_spans"):
        raise ValueError(
            f"--rehearse needs a pipeline with one component, a bertcrf or bertcrf_spans; {old} "
            f"has {', '.join(names) or 'none'}. Train by nlp.update and nlp.rehearse instead."
        )
    if saved["nlp"]["lang"] != config["nlp"]["lang"]:
        raise ValueError(
            f"{old} is of the language {saved['nlp']['lang']}, the config of "
            f"{config['nlp']['lang']}."
        )
    (name,) = names
    config = config.interpolate()
    component = saved["components"][name]
    given = config["components"].get(name, {}).get("strategies") or {}
    component["strategies"] = {
        **given,
        REHEARSAL: {
            "@misc": "spacy-bertcrf.Distillation.v1",
            "teacher": str(old),
            "weight": weight,
            "kept_in": str(output / "beliefs.sqlite"),
        },
    }
    config["nlp"]["pipeline"] = names
    config["nlp"]["tokenizer"] = saved["nlp"]["tokenizer"]
    config["components"] = {name: component}
    begin: dict[str, Any] = {
        "@callbacks": "spacy-bertcrf.begin_with.v1",
        "path": str(old),
        "component": name,
    }
    before = config["initialize"].get("before_init")
    if before:
        begin = {"@callbacks": "spacy-bertcrf.chain_callbacks.v1", "*": {"a": before, "b": begin}}
    config["initialize"]["before_init"] = begin
    nlp = spacy.load(old)
    of_train, of_dev = (
        texts_of(nlp, config, config["training"][key]) for key in ("train_corpus", "dev_corpus")
    )
    taken = take_texts(texts, nlp, of_train, of_dev, output / "texts.spacy", None)
    say_what_was_taken(taken)
    add_texts(config, taken.path)
    msg.info(f"Rehearses what {old} believes")
    return config
