"""The labels that a training's config and corpus have for a component."""

from collections.abc import Sequence
from itertools import islice

from spacy.language import Language
from spacy.util import registry, resolve_dot_names

from spacy_bertcrf.models.current_training import current_training
from spacy_bertcrf.models.step_count import random_state_kept
from spacy_bertcrf.pipeline.gold import Gold
from spacy_bertcrf.pipeline.survey import survey

STREAMED_SAMPLE = 100  # examples, as spaCy takes them to initialize components


def labels_of_config(nlp: Language, name: str) -> Sequence[str] | None:
    """What `[initialize.components.NAME]` of a pipeline's config has as `labels`; None if it has
    none."""
    block = nlp.config.interpolate()["initialize"]["components"].get(name, {})
    if block.get("labels") is None:
        return None
    labels: Sequence[str] = registry.resolve({"labels": block["labels"]})["labels"]
    return labels


def labels_of_corpus(nlp: Language, name: str, gold: Gold) -> list[str]:
    """The labels of all gold spans of the training corpus, sorted; of the first examples where it
    is streamed. Random numbers go on afterwards as if it had not been read.

    gold: where they are.

    Warns, in the name of the component, if gold entities do not align with its tokens.
    """
    config = nlp.config.interpolate()
    training = config["training"]
    (corpus,) = resolve_dot_names(config, [training["train_corpus"]])
    limit = STREAMED_SAMPLE if training["max_epochs"] < 0 else None
    with random_state_kept():
        return survey(islice(corpus(nlp), limit), name, gold).labels


def unknown_label_advice(name: str) -> str:
    """What to do about a label that the component does not know, in the training that is going
    on or from Python."""
    nlp = current_training()
    if nlp is None:
        return (
            f"Add those that are missing before the training: nlp.get_pipe('{name}').add_label(…)."
        )
    why, option = "", ""
    if nlp.config["training"]["max_epochs"] < 0:
        why = (
            f"The corpus is streamed (max_epochs = -1), and only its first {STREAMED_SAMPLE} "
            "examples were looked through for labels. "
        )
        option = " --training.max_epochs 1"
    return (
        f"{why}Have all labels written by `python -m spacy init labels CONFIG labels{option}` and "
        f"add to the config:\n\n[initialize.components.{name}.labels]\n"
        f'@readers = "spacy.read_labels.v1"\npath = "labels/{name}.json"\n'
    )
