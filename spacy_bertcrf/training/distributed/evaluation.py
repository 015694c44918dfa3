"""Evaluation by several processes."""

import json
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any, TypeAlias

import srsly
from spacy.language import Language
from spacy.scorer import Scorer
from spacy.tokens import Doc
from spacy.training import Example, validate_examples

from spacy_bertcrf.training.distributed.parts import balanced_parts
from spacy_bertcrf.training.distributed.process_group import ProcessGroup
from spacy_bertcrf.training.logs.dev_loss import Lossy, summed_loss
from spacy_bertcrf.training.logs.training_watch import watch_of

PURPOSE = "evaluate"
# What spacy-transformers and spacy-curated-transformers leave in Docs for other components.
FEATURES = ("trf_data",)

Scores: TypeAlias = dict[str, Any]
SummedLosses: TypeAlias = dict[str, tuple[float, int]]


def evaluate(
    group: ProcessGroup,
    nlp: Language,
    dev_corpus: Callable[[Language], Iterable[Example]],
    evaluate_in_first: Callable[[], tuple[float, Scores]],
) -> tuple[float, Scores]:
    """Evaluate a pipeline: each process predicts a part of the Docs, the first one scores them
    all.

    evaluate_in_first: calls `nlp.evaluate` with the examples of the development corpus.

    Returns the main score, in all processes, and the scores, in the first.
    """
    watch = watch_of(nlp)
    lossy: list[str] = group.tell([] if watch is None else watch.lossy, PURPOSE)
    score = 0.0
    scores: Scores = {}
    if group.rank == 0:
        with _evaluating(nlp, lambda examples: _evaluate(group, nlp, examples, lossy) or {}):
            score, scores = evaluate_in_first()
    else:
        _evaluate(group, nlp, dev_corpus(nlp), lossy)
    group.meet(PURPOSE)
    return group.tell(score, PURPOSE), scores


@contextmanager
def _evaluating(nlp: Language, evaluate: Callable[[Iterable[Example]], Scores]) -> Iterator[None]:
    usual = vars(nlp).get("evaluate")
    vars(nlp)["evaluate"] = evaluate
    try:
        yield
    finally:
        if usual is None:
            del vars(nlp)["evaluate"]
        else:
            vars(nlp)["evaluate"] = usual


def _evaluate(
    group: ProcessGroup, nlp: Language, examples: Iterable[Example], lossy: list[str]
) -> Scores | None:
    """What `Language.evaluate` gives, in the first process."""
    watch = watch_of(nlp)
    if watch is not None:
        watch.stop_clock()
    examples = list(examples)
    validate_examples(examples, "Language.evaluate")
    examples = [Example(example.predicted.copy(), example.reference) for example in examples]
    parts = balanced_parts([len(example) for example in examples], group.size)
    own = [examples[i] for i in parts[group.rank]]
    start = perf_counter()
    for example in examples:
        nlp.make_doc(example.reference.text)  # as Language.evaluate does, for the speed
    _predict(group, nlp, own)
    losses: SummedLosses = {}
    for name in lossy:
        pipe = nlp.get_pipe(name)
        assert isinstance(pipe, Lossy)
        losses[name] = summed_loss(pipe, own)
    content = b"" if group.rank == 0 else _packed(own, losses)
    group.meet(PURPOSE)
    gathered = group.gather(content, PURPOSE)
    if gathered is None:
        return None
    rest: list[Example] = []
    found = [losses]
    for part, packed in zip(parts[1:], gathered[1:], strict=True):
        theirs = [examples[i] for i in part]
        is_whole, their_losses = _unpack(packed, theirs)
        found.append(their_losses)
        if not is_whole:
            rest += theirs
    _predict(group, nlp, rest)
    seconds = perf_counter() - start
    if watch is not None and lossy:
        watch.dev_losses = _mean_losses(found)
    scores = Scorer(nlp=nlp).score(examples)
    scores["speed"] = sum(len(example.predicted) for example in examples) / seconds
    plain: Scores = json.loads(json.dumps(scores, default=_plain))
    return plain


def _predict(group: ProcessGroup, nlp: Language, examples: list[Example]) -> None:
    docs = nlp.pipe(example.predicted for example in examples)
    for example, doc in zip(examples, docs, strict=False):
        example.predicted = doc
        group.heartbeat.progress()


def _packed(examples: list[Example], losses: SummedLosses) -> bytes:
    is_whole = True
    docs = []
    for example in examples:
        doc = example.predicted
        kept = {key: value for key, value in doc.user_data.items() if _can_be_packed(value)}
        lost = [key for key in doc.user_data if key not in kept]
        is_whole = is_whole and all(key[1] in FEATURES for key in lost)
        doc.user_data = kept
        docs.append(doc.to_bytes(exclude=["tensor"]))
    packed: bytes = srsly.msgpack_dumps([is_whole, losses, docs if is_whole else []])
    return packed


def _unpack(packed: bytes, examples: list[Example]) -> tuple[bool, SummedLosses]:
    is_whole, losses, docs = srsly.msgpack_loads(packed)
    if is_whole:
        for example, doc in zip(examples, docs, strict=True):
            example.predicted = Doc(example.reference.vocab).from_bytes(doc)
    return is_whole, losses


def _can_be_packed(value: object) -> bool:
    try:
        srsly.msgpack_dumps(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _mean_losses(found: list[SummedLosses]) -> dict[str, float]:
    means = {}
    for name in found[0]:
        total = math.fsum(losses[name][0] for losses in found)
        n_units = sum(losses[name][1] for losses in found)
        if n_units:
            means[name] = total / n_units
    return means


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
