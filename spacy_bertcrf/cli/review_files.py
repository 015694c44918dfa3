"""What a review is written as."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from spacy.tokens import Doc

from spacy_bertcrf.corpora.formats import get_format
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.stored import read_stored
from spacy_bertcrf.corpora.writing import AnnotatedText, WrittenSpan, write_lines
from spacy_bertcrf.evaluation.figure_file import write_whole
from spacy_bertcrf.evaluation.judged import CharSpan, JudgedText
from spacy_bertcrf.evaluation.report.review_page import record, review_page
from spacy_bertcrf.evaluation.suspects import Suggestion, Suspects

FILES = {"prodigy": "prodigy.jsonl", "label-studio": "label-studio.json"}


def write_review(
    output: Path,
    corpus: str,
    texts: Sequence[JudgedText],
    suspects: Suspects,
    parts: Iterable[tuple[Path, Sequence[int]]],
    limit: int,
) -> None:
    """Write a review as a page, as JSON lines, and as tasks for annotation tools: the texts of the
    suggestions, the most suspicious first, with what is suggested.

    parts: .spacy files of the corpus, and the places of their documents in it.
    limit: suggestions on the page.
    """
    output.mkdir(parents=True, exist_ok=True)
    page = review_page(corpus, texts, suspects, limit)
    write_whole(output / "review.html", page.encode("utf8", "surrogatepass"))
    write_lines(
        output / "suggestions.jsonl",
        (
            record(rank, texts[item.document], item)
            for rank, item in enumerate(suspects.suggestions, start=1)
        ),
    )
    docs = {
        number: doc
        for path, numbers in parts
        for number, doc in zip(numbers, read_stored(path).docs, strict=True)
    }
    for name, file in FILES.items():
        write = get_format(name).writer
        assert write is not None
        path = output / file
        tasks = _tasks(docs, texts, suspects.suggestions)
        write(tasks, path, Options(), ProblemLog(path))


def _tasks(
    docs: dict[int, Doc], texts: Sequence[JudgedText], suggestions: Iterable[Suggestion]
) -> Iterator[AnnotatedText]:
    by_text: dict[int, list[Suggestion]] = {}
    for item in suggestions:
        by_text.setdefault(item.document, []).append(item)
    for number, (index, items) in enumerate(by_text.items(), start=1):
        text, doc = texts[index], docs[index]
        replaced = {span for item in items for span in item.gold}
        found = [span for span in text.gold if span not in replaced]
        found += [span for item in items for span in item.suggested]
        spans = sorted(filter(None, (_written(doc, text, span) for span in found)))
        yield AnnotatedText(number, doc, spans, index + 1, is_predicted=True)


def _written(doc: Doc, text: JudgedText, span: CharSpan) -> WrittenSpan | None:
    tokens = doc.char_span(span.start, span.end)
    if tokens is None:
        return None
    return WrittenSpan(tokens.start, tokens.end, span.label, text.probabilities.get(span))
