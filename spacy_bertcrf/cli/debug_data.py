"""`python -m spacy bertcrf debug-data`: what is wrong with a corpus, before the training."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from wasabi import msg

from spacy_bertcrf.cli import bertcrf_app

if TYPE_CHECKING:
    from spacy.training import Example

    from spacy_bertcrf.corpora.audit import Audit, WordpieceCounts
    from spacy_bertcrf.corpora.summary import CorpusSummary
    from spacy_bertcrf.models.bert.wordpieces import WordpieceTokenizer

FEW_ENTITIES = 50  # of a label, as in `spacy debug data`
SHOWN = 5
SHOWN_CHARACTERS = 60
ENCODERS = ("spacy-bertcrf.BertEncoder", "spacy-transformers.TransformerModel")
ENTITIES = ("bertcrf", "ner", "beam_ner")  # factories
WINDOW = 512  # wordpieces that an encoder reads at a time if its config does not say
MANY_UNKNOWN = 0.01  # of the wordpieces


@bertcrf_app.command(
    "debug-data", context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)
def debug_data_cli(
    ctx: typer.Context,
    config: Annotated[Path, typer.Argument(help="Training config")],
    code: Annotated[
        Path | None,
        typer.Option("--code", "-c", help="Python file with registered functions, to be imported"),
    ] = None,
    shown: Annotated[int, typer.Option(help="Examples of each finding", min=0)] = SHOWN,
) -> None:
    """Look through the corpora of a config before training on them.

    Says what `spacy debug data` says for `ner`, and more: labels, entities of dev that are unseen
    in train, texts that are in both, texts and mentions that are annotated in several ways, texts
    longer than BERT reads at a time, wordpieces that its vocabulary does not know, entities that
    do not fit the tokens, or that start or end with a space or a punctuation mark, and missing
    annotation. Settings of the config can be overridden, as in `spacy train`:
    --paths.train corpus/train.spacy

    The exit code is 1 if nothing could be learned from the corpora.
    """
    from spacy.cli._util import import_code, parse_config_overrides, show_validation_error
    from spacy.util import load_config

    from spacy_bertcrf.corpora.audit import audit

    overrides = parse_config_overrides(ctx.args)
    import_code(code)
    if not config.exists():
        msg.fail("Config file not found", config, exits=1)
    with show_validation_error(config):
        loaded = load_config(config, overrides=overrides, interpolate=True)
    try:
        train, dev = _corpora(loaded)
        tokenizer, most = _tokenizer(loaded)
        found = audit(train, dev, tokenizer, most)
    except (ValueError, OSError, ImportError) as error:
        msg.fail("The corpora could not be read", str(error), exits=1)
    learns_entities = _learns_entities(loaded)
    fatal = list(_fatal(found)) if learns_entities else []
    if not learns_entities:
        msg.warn(
            "The config has no component that learns doc.ents",
            "Only these are looked at here: of what the others learn, nothing is said.",
        )
    _print_counts(found, learns_entities)
    _print_labels(found)
    _print_texts(found, shown)
    _print_entities(found, shown)
    if found.wordpieces is not None:
        _print_wordpieces(found.wordpieces, shown)
    for title, mend in fatal:
        msg.fail(title, mend)
    if fatal:
        raise typer.Exit(1)


def _corpora(config: Any) -> "tuple[Sequence[Example], Sequence[Example]]":
    from spacy.schemas import ConfigSchemaTraining
    from spacy.util import load_model_from_config, registry, resolve_dot_names

    nlp = load_model_from_config(config)
    settings = registry.resolve(config["training"], schema=ConfigSchemaTraining)
    readers = resolve_dot_names(config, [settings["train_corpus"], settings["dev_corpus"]])
    train, dev = (list(reader(nlp)) for reader in readers)
    return train, dev


def _tokenizer(config: Mapping[str, Any]) -> "tuple[WordpieceTokenizer | None, int | None]":
    """That of the first BERT in the config, and how much it reads at a time."""
    from spacy_bertcrf.models.bert.pretrained import load_tokenizer
    from spacy_bertcrf.models.bert.wordpieces import WordpieceTokenizer

    for encoder in _encoders(config):
        if encoder.get("name"):
            settings = encoder.get("tokenizer_config", {})
            loaded = load_tokenizer(encoder["name"], settings)
            tokenizer = WordpieceTokenizer(loaded, encoder.get("alignment", "token"))
            window = encoder.get("window") or WINDOW
            return tokenizer, window - len(tokenizer.prefix) - len(tokenizer.suffix)
    return None, None


def _encoders(block: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(block, Mapping):
        if str(block.get("@architectures", "")).startswith(ENCODERS):
            yield block
        for value in block.values():
            yield from _encoders(value)


def _learns_entities(config: Mapping[str, Any]) -> bool:
    """Whether a component does. One that comes from another pipeline may."""
    components = config.get("components", {}).values()
    return any("source" in block or block.get("factory") in ENTITIES for block in components)


def _fatal(found: "Audit") -> Iterator[tuple[str, str]]:
    for name, summary in (("training", found.train), ("development", found.dev)):
        if not summary.tokens:
            yield f"The {name} corpus has no text", "Check its path and its reader's max_length."
        elif not summary.entities:
            yield (
                f"The {name} corpus has no entity",
                "Check that doc.ents is set, and that its reader's max_length leaves out none.",
            )
    strange = found.dev.entities.keys() - found.train.entities.keys()
    if found.train.entities and found.dev.entities and strange == found.dev.entities.keys():
        yield (
            "The development corpus has no label of the training corpus",
            "All scores would be 0. Are the labels written alike?",
        )


def _print_counts(found: "Audit", learns_entities: bool) -> None:
    msg.divider("Corpora")
    rows = [
        (
            name,
            f"{summary.documents:,}",
            f"{summary.tokens:,}",
            f"{sum(summary.entities.values()):,}",
            f"{summary.without_entities:,}",
            f"{summary.unannotated:,}",
            f"{summary.missing:,}",
        )
        for name, summary in (("train", found.train), ("dev", found.dev))
    ]
    header = ("", "texts", "tokens", "entities", "texts without", "not annotated", "tokens missing")
    msg.table(rows, header=header, aligns=("l", *"rrrrrr"), divider=True)
    if found.train.entities and not found.train.without_entities and found.train.documents > 1:
        msg.warn(
            "Every training text has an entity",
            "A model learns from texts without one, too, that there may be none.",
        )
    for name, summary in (("training", found.train), ("development", found.dev)):
        n = summary.unannotated
        if n and learns_entities:
            msg.warn(f"{n:,} texts of the {name} corpus have no annotation at all", _UNKNOWN)


_UNKNOWN = "They are read as unknown, not as without entities, and teach and judge nothing."


def _print_labels(found: "Audit") -> None:
    from spacy_bertcrf.corpora.audit import alike

    msg.divider("Labels")
    rows = []
    for label, n in _counts(found.train, found.dev):
        of_dev = found.dev.entities[label]
        unseen = f"{found.unseen[label] / of_dev:.0%}" if of_dev else ""
        rows.append((label, f"{n:,}", f"{of_dev:,}", unseen))
    header = ("label", "train", "dev", "of these unseen")
    msg.table(rows, header=header, aligns=("l", *"rrr"), divider=True)
    few = [label for label, n in _counts(found.train, found.dev) if 0 < n < FEW_ENTITIES]
    if few:
        msg.warn(f"Fewer than {FEW_ENTITIES} entities in train: {', '.join(few)}")
    for group in alike(label for label, _ in _counts(found.train, found.dev)):
        msg.warn(
            f"Labels that look alike: {', '.join(map(repr, group))}",
            "Each is learned as a label of its own.",
        )
    strange = [label for label in found.dev.entities if label not in found.train.entities]
    if strange:
        msg.warn(
            f"Labels of dev that train does not have: {', '.join(sorted(strange))}",
            "None of these entities can be found.",
        )
    absent = [label for label in found.train.entities if label not in found.dev.entities]
    if absent and found.dev.entities:
        msg.warn(f"Labels of train that dev cannot judge: {', '.join(sorted(absent))}")
    n_dev = sum(found.dev.entities.values())
    if n_dev:
        share = sum(found.unseen.values()) / n_dev
        msg.info(f"Entities of dev that train does not have with their label: {share:.0%}")


def _print_texts(found: "Audit", shown: int) -> None:
    msg.divider("Texts")
    n_dev = found.dev.documents
    _say(
        len(found.shared_texts),
        f"texts of dev are in train too, of {n_dev:,}: their scores say nothing of new texts",
        "No text of dev is in train",
        found.shared_texts[:shown],
    )
    repeated = sorted(found.repeated.items(), key=lambda item: (-item[1], item[0]))
    _say(
        len(repeated),
        "texts are more than once in train",
        "No text is in train twice",
        [f"{n} × {text}" for text, n in repeated[:shown]],
    )
    _say(
        len(found.contradicting),
        "texts are annotated in several ways",
        "No text is annotated in two ways",
        found.contradicting[:shown],
    )


def _print_entities(found: "Audit", shown: int) -> None:
    msg.divider("Entities")
    _say(
        len(found.misaligned),
        "entities do not fit the tokens of the pipeline's tokenizer, and their tokens count as "
        "not annotated: take the tokenizer that the corpus was made with",
        "All entities fit the tokens",
        _commonest(found.misaligned, shown),
    )
    _say(
        len(found.with_space),
        "entities start or end with white space",
        "No entity starts or ends with white space",
        _commonest([repr(text) for text in found.with_space], shown),
    )
    _say(
        len(found.with_punctuation),
        "entities start or end with a punctuation mark",
        "No entity starts or ends with a punctuation mark",
        _commonest(found.with_punctuation, shown),
        is_fault=False,
    )
    _say(
        len(found.uneven),
        "mentions of train are annotated in several ways, or in some places not at all; those "
        "with the most exceptions",
        "Every mention is annotated in one way",
        [
            f"{mention.text}: "
            + ", ".join(f"{label} {n:,}" for label, n in mention.labels.items())
            + (f", no entity {mention.n_plain:,}" if mention.n_plain else "")
            for mention in found.uneven[:shown]
        ],
        is_fault=False,
    )


def _print_wordpieces(found: "WordpieceCounts", shown: int) -> None:
    msg.divider("Wordpieces")
    unknown = found.unknown
    characters = [f"{char!r} {n:,}" for char, n in unknown.characters[: 2 * shown]]
    title = (
        f"of {unknown.n_pieces:,} wordpieces of train are not in the vocabulary "
        f"({unknown.share:.1%}), for the characters"
    )
    known = "The vocabulary has all wordpieces of train"
    shown_characters = [", ".join(characters)] if characters else []
    is_fault = unknown.share > MANY_UNKNOWN
    _say(unknown.n_unknown, title, known, shown_characters, is_fault=is_fault)
    if found.n_windowed:
        msg.info(
            f"{found.n_windowed:,} texts are longer than the BERT reads at a time; the longest has "
            f"{found.longest:,} wordpieces. They are read in overlapping windows, and no entity is "
            "lost."
        )
    else:
        msg.good(f"No text is longer than the BERT reads: {found.longest:,} wordpieces at most")


def _say(
    n: int, title: str, all_well: str, examples: Sequence[str], *, is_fault: bool = True
) -> None:
    if not n:
        msg.good(all_well)
        return
    (msg.warn if is_fault else msg.info)(f"{n:,} {title}")
    for example in examples:
        line = " ".join(example.split()) if is_fault else example
        msg.text(f"  {line if len(line) <= SHOWN_CHARACTERS else line[:SHOWN_CHARACTERS] + '…'}")


def _commonest(texts: Sequence[str], n: int) -> list[str]:
    from collections import Counter

    found = Counter(texts).most_common(n)
    return [text if count == 1 else f"{text} ({count:,})" for text, count in found]


def _counts(train: "CorpusSummary", dev: "CorpusSummary") -> list[tuple[str, int]]:
    labels = dict.fromkeys([*(label for label, _ in train.entities.most_common()), *dev.entities])
    return [(label, train.entities[label]) for label in labels]
