"""A pipeline for each fold of a corpus, trained on the others."""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from spacy_bertcrf.cli.separate_training import train_separately
from spacy_bertcrf.corpora.split import deal_texts
from spacy_bertcrf.corpora.stored import StoredDocs, read_stored
from spacy_bertcrf.corpora.writing import written_whole
from spacy_bertcrf.training.made_by import require_same

SETTINGS = "fold.json"
DONE = "trained"
MOST_WATCHED = 100  # documents of the fold that the training's evaluations are on


class Fold(NamedTuple):
    """A part of a corpus, and a pipeline that has not seen it.

    part: a .spacy file.
    numbers: the places of its documents in the corpus, from 0; None if it follows on the part
        before it.
    """

    pipeline: Path
    part: Path
    numbers: Sequence[int] | None = None


class Setup(NamedTuple):
    """What folds are trained with.

    config: the file; blocks: what it says, with overrides; overrides: as on the command line.
    """

    config: Path
    blocks: Mapping[str, Any]
    overrides: Sequence[str]
    seed: int
    gpu_id: int


def train_folds(
    corpus: Path,
    folder: Path,
    n_folds: int,
    setup: Setup,
    told: Callable[[str], object] = lambda text: None,
) -> list[Fold]:
    """Deal a corpus out to folds, and train a pipeline for each on the others; what is trained
    already is left as it is.

    corpus: a .spacy file.
    folder: where the folds and their pipelines are kept.
    told: is told what is trained.

    The pipelines are those of the last step: the fold is evaluated on as the training goes, for
    its log, but nothing is chosen by it.

    Raises ValueError if the corpus has fewer texts than folds, if a training fails, and if the
    folder is of another corpus, config, seed or number of folds.
    """
    stored = read_stored(corpus)
    made_by = {
        "corpus": hashlib.sha256(corpus.read_bytes()).hexdigest(),
        "config": setup.config.read_text(encoding="utf8"),
        "overrides": list(setup.overrides),
        "folds": n_folds,
        "seed": setup.seed,
    }
    folds = []
    for i, numbers in enumerate(deal_texts(stored.docs, n_folds, setup.seed), start=1):
        of_fold = folder / f"fold-{i}"
        _check_settings(of_fold, made_by)
        if not (of_fold / DONE).exists():
            told(
                f"Training fold {i} of {n_folds}, on {len(stored.docs) - len(numbers):,} documents"
            )
            _train(stored, numbers, of_fold, setup)
            (of_fold / DONE).touch()
        folds.append(Fold(of_fold / "model-last", of_fold / "part.spacy", numbers))
    return folds


def _check_settings(folder: Path, made_by: Mapping[str, Any]) -> None:
    """Note what a fold is trained with, before its training begins; raise ValueError if that is
    something else than what its folder was made with."""
    settings = folder / SETTINGS
    if settings.exists():
        require_same(folder, json.loads(settings.read_text(encoding="utf8")), made_by)
        return
    folder.mkdir(parents=True, exist_ok=True)
    with written_whole(settings) as draft:
        draft.write_text(json.dumps(made_by), encoding="utf8")


def _train(stored: StoredDocs, numbers: Sequence[int], folder: Path, setup: Setup) -> None:
    left_out = set(numbers)
    others = [doc for i, doc in enumerate(stored.docs) if i not in left_out]
    part = [stored.docs[i] for i in numbers]
    step = -(-len(part) // MOST_WATCHED)
    for name, docs in (("train", others), ("part", part), ("watched", part[::step])):
        with written_whole(folder / f"{name}.spacy") as draft:
            draft.write_bytes(stored.to_bytes(docs))
    blocks = setup.blocks["training"]
    overrides = [*setup.overrides, "--system.seed", str(setup.seed)]
    overrides += [f"--{blocks['train_corpus']}.path", str(folder / "train.spacy")]
    overrides += [f"--{blocks['dev_corpus']}.path", str(folder / "watched.spacy")]
    train_separately(setup.config, overrides, folder, setup.gpu_id, folder.name)
    for name in ("checkpoints", "model-best"):
        shutil.rmtree(folder / name, ignore_errors=True)
