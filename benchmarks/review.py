"""How many of the annotations that were spoiled `bertcrf review` finds, and what else finds.

    SPACY_BERTCRF_REAL=FOLDER python benchmarks/review.py --output OUT

FOLDER has data/cluener/train.json and models/zh-char-bert-4l. Of the entities of train 5 % are
spoiled, as `spoiling.py` says. `bertcrf review` with configs/bert_crf.cfg trains a pipeline for
each of 3 folds on the others and ranks. Beside it, on the same folds and with the same BERT and
batches, a plain token classifier (`plain_tagger.py`) is ranked by its softmax, and by cleanlab's
token classification filter on the same probabilities (`pip install 'spacy-bertcrf[dev]'`).

A suggestion is right if it is on an annotation that was spoiled. The corpus has errors of its own:
a suggestion that finds one counts as wrong.

With --output, what is trained is kept, and the same command goes on where it was stopped.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from plain_tagger import PlainTagger
from spacy.tokens import Doc
from spoiling import BORDER, KINDS, REMOVED, Spoiled, TokenSpan, span_of, spoil

from spacy_bertcrf.corpora.stored import read_stored

ROOT = Path(__file__).parents[1]
PACKAGES = ("spacy-bertcrf", "spacy", "torch", "transformers", "cleanlab")
FIRST = (50, 100, 500, 1000)


class Place(NamedTuple):
    """What a ranking doubts, in tokens.

    gold: entities that are there. tokens: where it says otherwise.
    mended: what it says, if it does.
    """

    document: int
    gold: tuple[TokenSpan, ...]
    tokens: frozenset[int]
    mended: tuple[TokenSpan, ...] | None = None


def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.output or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        docs, spoiled = spoiled_corpus(args, folder)
        print(f"{len(docs):,} texts, {len(spoiled):,} spoiled, seed {args.seed};", end=" ")
        print(f"{args.folds} folds, {args.epochs} epochs, rate {args.rate}, bfloat16,", end=" ")
        print(f"{platform.machine()}, {args.threads} threads,", end=" ")
        print(", ".join(f"{name} {version(name)}" for name in PACKAGES))
        print_header(spoiled)
        report("bertcrf review", reviewed(args, folder, docs), spoiled)
        if not args.only_review:
            for name, places in plain_rankings(args, folder, docs).items():
                report(name, places, spoiled)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--limit", type=int, help="only so many texts")
    parser.add_argument("--skip", type=int, default=0, help="after so many")
    parser.add_argument("--share", type=float, default=0.05, help="of the entities, spoiled")
    parser.add_argument("--seed", type=int, default=0, help="of what is spoiled")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--pieces", type=int, default=1600, help="wordpieces of a batch")
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only-review", action="store_true", help="no plain token classifier")
    parser.add_argument("--output", type=Path, help="keep corpora, pipelines and pages here")
    return parser.parse_args()


def bert() -> str:
    return str(Path(os.environ["SPACY_BERTCRF_REAL"]) / "models" / "zh-char-bert-4l")


def spoiled_corpus(args: argparse.Namespace, folder: Path) -> tuple[list[Doc], list[Spoiled]]:
    path = folder / "train.spacy"
    if not path.exists():
        source = Path(os.environ["SPACY_BERTCRF_REAL"]) / "data" / "cluener" / "train.json"
        command = [sys.executable, "-m", "spacy", "bertcrf", "convert", str(source), str(path)]
        subprocess.run([*command, "--lang", "zh"], check=True, stdout=sys.stderr)
    stored = read_stored(path)
    docs = stored.docs[args.skip :][: args.limit]
    spoiled = spoil(docs, args.share, args.seed)
    (folder / "spoiled.spacy").write_bytes(stored.to_bytes(docs))
    return docs, spoiled


def reviewed(args: argparse.Namespace, folder: Path, docs: Sequence[Doc]) -> list[Place]:
    command = [sys.executable, "-m", "spacy", "bertcrf", "review", str(folder / "spoiled.spacy")]
    command += [str(folder / "review"), "--config", str(ROOT / "configs" / "bert_crf.cfg")]
    command += ["--folds", str(args.folds), "--paths.transformer", bert()]
    command += ["--training.optimizer.learn_rate.initial_rate", str(args.rate)]
    command += ["--training.max_epochs", str(args.epochs)]
    command += ["--training.batcher.size", str(args.pieces)]
    command += ["--components.bertcrf.model.tok2vec.mixed_precision", "true"]
    # The last step is taken in any case.
    command += ["--training.eval_frequency", "100000", "--initialize.after_init.evaluations", "1"]
    subprocess.run(command, check=True, stdout=sys.stderr)
    places = []
    for line in (folder / "review" / "suggestions.jsonl").read_text("utf8").splitlines():
        value = json.loads(line)
        doc = docs[value["document"] - 1]
        gold, suggested = (
            tuple(
                span_of(doc.char_span(item["start"], item["end"], label=item["label"]))
                for item in value[name]
            )
            for name in ("gold", "suggested")
        )
        tokens = frozenset(i for start, end, _ in suggested for i in range(start, end))
        places.append(Place(value["document"] - 1, gold, tokens, suggested))
    return places


def plain_rankings(
    args: argparse.Namespace, folder: Path, docs: Sequence[Doc]
) -> dict[str, list[Place]]:
    from cleanlab.token_classification.filter import find_label_issues

    labels = sorted({ent.label_ for doc in docs for ent in doc.ents})
    places = {doc.text: i for i, doc in enumerate(docs)}
    probabilities: list[np.ndarray] = [np.zeros((0, 0))] * len(docs)
    tagger = PlainTagger(bert(), labels)
    for i in range(1, args.folds + 1):
        of_fold = folder / "review" / f"fold-{i}"
        part = read_stored(of_fold / "part.spacy").docs
        kept = of_fold / "plain.npy"
        if kept.exists():
            rows = np.load(kept)
        else:
            tagger = PlainTagger(bert(), labels)
            train = read_stored(of_fold / "train.spacy").docs
            tagger.train(train, pieces=args.pieces, epochs=args.epochs, rate=args.rate, seed=0)
            rows = np.concatenate(tagger.probabilities(part))
            np.save(kept, rows)
        begins = np.cumsum([len(doc) for doc in part])[:-1]
        for doc, of_doc in zip(part, np.split(rows, begins), strict=True):
            probabilities[places[doc.text]] = of_doc
    gold = [tagger.gold(doc) for doc in docs]
    own = [rows[np.arange(len(ids)), ids] for rows, ids in zip(probabilities, gold, strict=True)]
    tokens = [
        (own[i][j], i, j)
        for i, rows in enumerate(probabilities)
        for j in range(len(rows))
        if rows[j].argmax() != gold[i][j]
    ]
    ranked = [(i, j) for _, i, j in sorted(tokens)]
    issues = find_label_issues(
        [ids.tolist() for ids in gold], probabilities, return_indices_ranked_by="self_confidence"
    )
    return {
        "softmax of the plain classifier": of_tokens(docs, ranked),
        "cleanlab on the same softmax": of_tokens(docs, issues),
    }


def of_tokens(docs: Sequence[Doc], ranked: Iterable[tuple[int, int]]) -> list[Place]:
    """Tokens as places: all of one entity are one place, and so are neighbours outside of
    entities; it has the rank of the first of them."""
    ranked = [(int(i), int(j)) for i, j in ranked]
    chosen = set(ranked)
    found: list[Place] = []
    seen: set[tuple[int, int]] = set()
    for i, j in ranked:
        if (i, j) in seen:
            continue
        inside = [span_of(ent) for ent in docs[i].ents if ent.start <= j < ent.end]
        if inside:
            start, end, _ = inside[0]
            tokens = [k for k in range(start, end) if (i, k) in chosen]
        else:
            tokens = [j]
            for step in (1, -1):
                k = j + step
                while (i, k) in chosen and not docs[i][k].ent_type_:
                    tokens.append(k)
                    k += step
        seen |= {(i, k) for k in tokens}
        found.append(Place(i, tuple(inside), frozenset(tokens)))
    return found


def print_header(spoiled: Sequence[Spoiled]) -> None:
    columns = ["ranked by", "suggestions"]
    columns += [f"precision of the first {n:,}" for n in firsts(spoiled)]
    columns += [f"recall at {len(spoiled):,}", *KINDS, "mended as it was"]
    print(f"\n| {' | '.join(columns)} |\n{'|---' * len(columns)}|", flush=True)


def report(name: str, places: Sequence[Place], spoiled: Sequence[Spoiled]) -> None:
    n_of = Counter(item.kind for item in spoiled)
    hits, found, n_mended = judged(places, spoiled)
    row = [name, f"{len(places):,}", *(f"{sum(hits[:n]) / n:.3f}" for n in firsts(spoiled))]
    at = {item for items in found[: len(spoiled)] for item in items}
    row.append(f"{len(at) / len(spoiled):.3f}")
    row += [f"{sum(item.kind == kind for item in at) / n_of[kind]:.3f}" for kind in KINDS]
    suggests = any(place.mended is not None for place in places)
    row.append(f"{n_mended / max(1, sum(hits[: len(spoiled)])):.3f}" if suggests else "")
    print("|", " | ".join(row), "|", flush=True)


def firsts(spoiled: Sequence[Spoiled]) -> list[int]:
    return [n for n in FIRST if n < len(spoiled)]


def judged(
    places: Sequence[Place], spoiled: Sequence[Spoiled]
) -> tuple[list[bool], list[list[Spoiled]], int]:
    """Whether each place is on spoiled annotations that none before it was on, which these are,
    and how many of the first as many as are spoiled say what was there before."""
    left: dict[int, list[Spoiled]] = {}
    for item in spoiled:
        left.setdefault(item.document, []).append(item)
    found = []
    mended = 0
    for rank, place in enumerate(places):
        here = [item for item in left.get(place.document, ()) if is_on(place, item)]
        for item in here:
            left[place.document].remove(item)
        found.append(here)
        if here and rank < len(spoiled) and place.mended is not None:
            mended += place.mended == tuple(item.before for item in here if item.before)
    return [bool(here) for here in found], found, mended


def is_on(place: Place, item: Spoiled) -> bool:
    if item.after in place.gold:
        return True
    if item.kind not in (REMOVED, BORDER) or item.before is None:
        return False
    return not place.tokens.isdisjoint(range(*item.before[:2]))


if __name__ == "__main__":
    main()
