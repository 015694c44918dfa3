"""What is to be known of a corpus before a training, and no setting can mend."""

from collections.abc import Iterator

from spacy_bertcrf.training.recipes.corpus_survey import CorpusSurvey

FEW = 20  # entities of a label
LABELS_SHOWN = 30
MUCH_UNSEEN = 0.5
MUCH_MISALIGNED = 0.01
WINDOW = 512


def remarks(train: CorpusSurvey, dev: CorpusSurvey | None) -> Iterator[str]:
    """Paragraphs on a training corpus, and on a development corpus beside it, if there is one."""
    yield f"train: {_counts(train)}"
    if dev is not None:
        yield f"dev: {_counts(dev)}"
    labels = [f"{label} ({n:,})" for label, n in train.labels.most_common(LABELS_SHOWN)]
    more = ", …" if len(train.labels) > LABELS_SHOWN else ""
    yield f"{len(train.labels)} labels: {', '.join(labels)}{more}."
    rare = [label for label, n in train.labels.items() if n < FEW]
    if rare:
        yield (
            f"Fewer than {FEW} entities: {', '.join(sorted(rare))}. Hardly any of these will be "
            "found; annotate more, or join labels."
        )
    yield from _annotation(train)
    if dev is not None:
        yield from _generalization(train, dev)


def _counts(corpus: CorpusSurvey) -> str:
    parts = [f"{corpus.n_texts:,} texts", f"{corpus.n_tokens:,} tokens"]
    if corpus.n_tokens and corpus.n_of_one_character == corpus.n_tokens:
        parts[-1] += ", each one character"
    if corpus.n_texts:
        mean, longest = corpus.pieces.mean(), corpus.pieces.max()
        parts.append(f"{mean:.0f} wordpieces a text in the mean, {longest:,} at most")
    parts.append(f"{corpus.n_entities:,} entities")
    without = corpus.n_without_entities / max(1, corpus.n_texts)
    return f"{', '.join(parts)}; {without:.0%} of the texts have none."


def _annotation(train: CorpusSurvey) -> Iterator[str]:
    if train.n_missing:
        yield (
            f"{train.n_missing:,} tokens ({train.n_missing / train.n_tokens:.0%}) have no "
            "annotation: nothing is learned of them, neither that they are in an entity nor that "
            "they are not. If there are no entities in them, annotate them as outside."
        )
    if train.n_misaligned > MUCH_MISALIGNED * train.n_entities:
        yield (
            f"{train.n_misaligned:,} entities ({train.n_misaligned / train.n_entities:.0%}) begin "
            "or end inside of a token of the pipeline's tokenizer, and cannot be learned: choose "
            "[nlp.tokenizer] as the corpus was made."
        )
    if train.n_overlapping:
        yield (
            f"{train.n_overlapping:,} spans in doc.spans overlap others of their group. A "
            "`bertcrf` learns doc.ents, which do not."
        )
    if train.pieces.max() > WINDOW:
        n_long = int((train.pieces > WINDOW).sum())
        yield f"{n_long:,} texts are longer than {WINDOW} wordpieces and are read in windows."


def _generalization(train: CorpusSurvey, dev: CorpusSurvey) -> Iterator[str]:
    if not dev.n_entities:
        yield (
            "The development corpus has no entity: every score will be 0, and model-best no better "
            "than any other."
        )
        return
    unseen = dev.share_unseen(train)
    yield (
        f"{unseen:.0%} of the entities of dev are nowhere an entity in train."
        + (" What counts is to find names by their context." if unseen > MUCH_UNSEEN else "")
    )
    unknown = {label: n for label, n in dev.labels.items() if label not in train.labels}
    if unknown:
        listed = ", ".join(f"{label} ({n:,})" for label, n in sorted(unknown.items()))
        yield f"Labels of dev that train does not have, and that cannot be found: {listed}."
