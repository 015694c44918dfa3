"""What `convert` prints: how files were read, what is in them, what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence

from wasabi import msg

from spacy_bertcrf.corpora.description import describe
from spacy_bertcrf.corpora.detection import Choice, weigh
from spacy_bertcrf.corpora.entities import NESTED, OVERLAP, TWO_LABELS
from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, LIKELY, OTHERWISE, POSSIBLE
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.reading import CorpusReader
from spacy_bertcrf.corpora.sources import Source
from spacy_bertcrf.corpora.summary import CorpusSummary

PLACES_SHOWN = 3

_STRENGTHS = {
    AGAINST: "against",
    OTHERWISE: "if no other is",
    POSSIBLE: "possible",
    LIKELY: "likely",
    CERTAIN: "certain",
}


def print_explanations(sources: Sequence[Source], options: Options) -> None:
    """What files hold, and what speaks for each format and against it; of files for which the same
    speaks, the first."""
    alike: dict[tuple[tuple[str, str], ...], list[Source]] = {}
    for source in sources:
        seen = [choice for choice in weigh(source, options) if choice.evidence.strength > AGAINST]
        key = tuple((choice.format.name, choice.evidence.what) for choice in seen)
        # Of files that no format fits, each may be something else.
        alike.setdefault(key or ((str(source.path), ""),), []).append(source)
        if len(sources) > 1:
            source.release()
    for first, *others in alike.values():
        more = f" and {len(others):,} more" if others else ""
        msg.text(f"{first.path}{more}: {describe(first)}")
        _print_evidence(weigh(first, options))


def _print_evidence(seen: Sequence[Choice]) -> None:
    rows = []
    for format, evidence in seen:
        settings = ", ".join(f"{name} {value}" for name, value in evidence.settings.items())
        what = f"{evidence.what} ({settings})" if settings else evidence.what
        rows.append((format.name, _STRENGTHS[evidence.strength], what))
    if not rows:
        msg.text("Nothing of any format is seen in it.")
        return
    msg.table(rows, header=("format", "evidence", "what is seen"), divider=True, max_col=200)


def print_reading(reader: CorpusReader, lang: str | None) -> None:
    """Which formats the files are in and why, and what was found out about them."""
    msg.text(f"Format: {reader.format}")
    for evidence in reader.evidence:
        msg.text(f"  {evidence}")
    msg.text(f"Language: {reader.lang}{'' if lang else ' (--lang to change)'}")
    for name, what in reader.notes.items():
        msg.text(f"{name}: {what}")


def print_summary(summaries: dict[str, CorpusSummary]) -> None:
    """How many documents, tokens, entities and categories each part has."""
    counts: dict[str, list[int]] = {
        "documents": [summary.documents for summary in summaries.values()],
        "tokens": [summary.tokens for summary in summaries.values()],
        "documents without annotation": [summary.unannotated for summary in summaries.values()],
        "tokens without annotation": [summary.missing for summary in summaries.values()],
    }
    if any(summary.entities for summary in summaries.values()) or not _categories(summaries):
        counts["entities"] = [summary.entities.total() for summary in summaries.values()]
    for label in sorted({label for summary in summaries.values() for label in summary.entities}):
        counts[f"  {label}"] = [summary.entities[label] for summary in summaries.values()]
    if _categories(summaries):
        counts["categories"] = [summary.categories.total() for summary in summaries.values()]
    for label in _categories(summaries):
        counts[f"  {label}"] = [summary.categories[label] for summary in summaries.values()]
    rows = [
        [name, *(f"{number:,}" for number in numbers)]
        for name, numbers in counts.items()
        if any(numbers) or not name.endswith("without annotation")
    ]
    aligns = ("l", *("r" for _ in summaries))
    msg.table(rows, header=("", *summaries), aligns=aligns, divider=True, max_col=200)


def warn_of_unlearnable(summaries: dict[str, CorpusSummary]) -> None:
    """Of categories without a document, and with --split of those that train has none of."""
    where, first = next(iter(summaries.items()))
    missing = [label for label in _categories(summaries) if not first.categories[label]]
    if missing:
        msg.warn(f"No document of {where} is in: {', '.join(missing)}")


def warn_of_few_entities(summary: CorpusSummary) -> bool:
    """Whether most annotated documents have no entity, which is then said: it may be so, or the
    wrong column or key was read."""
    annotated = summary.documents - summary.unannotated
    if summary.categories or 2 * summary.without_entities <= annotated:
        return False
    found = f"{summary.without_entities:,} of {annotated:,}"
    what = "have no entity" if summary.entities else "have no entity, nor has any other"
    msg.warn(
        f"Most documents, {found}, {what}. If that is not so, another column or format holds "
        "the annotation: see --explain, --tag-column, --format"
    )
    return True


def print_problems(problems: ProblemLog, doubtful: bool = False) -> None:
    """Each kind of problem with its count and first places.

    doubtful: whether something was said already that speaks against the whole reading.
    """
    if not len(problems):
        if not doubtful:
            msg.good("No problems")
        return
    rows = []
    for kind, found in problems.by_kind().items():
        shown = [[problem.place, problem.what] for problem in found[:PLACES_SHOWN]]
        if len(found) > PLACES_SHOWN:
            shown.append([f"… and {len(found) - PLACES_SHOWN:,} more", ""])
        heads = [[kind, f"{len(found):,}"], *(["", ""] for _ in shown[1:])]
        rows += [head + place for head, place in zip(heads, shown, strict=True)]
    msg.warn(f"{len(problems):,} problem(s)")
    header = ("problem", "count", "first places", "what")
    msg.table(rows, header=header, aligns=("l", "r", "l", "l"), divider=True, max_col=200)
    if {NESTED, OVERLAP, TWO_LABELS} & problems.by_kind().keys():
        msg.text(
            "doc.ents cannot hold entities that overlap. --spans-key sc keeps them all in "
            "doc.spans['sc'], and the component bertcrf_spans learns them."
        )


def _categories(summaries: dict[str, CorpusSummary]) -> list[str]:
    """All categories, in the order of the classes' file if there is one."""
    return list(dict.fromkeys(c for summary in summaries.values() for c in summary.categories))
