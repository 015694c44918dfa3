"""Reads an annotated corpus from files of any format that is registered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_bertcrf.corpora.byte_problems import tell_bytes
from spacy_bertcrf.corpora.class_names import is_description
from spacy_bertcrf.corpora.corpus_files import sources_of
from spacy_bertcrf.corpora.detection import NearlyFits, choose
from spacy_bertcrf.corpora.documents import DocMaker, with_all_categories
from spacy_bertcrf.corpora.formats import all_formats, get_format
from spacy_bertcrf.corpora.formats.format import Format
from spacy_bertcrf.corpora.formats.labelled_texts import read_classes
from spacy_bertcrf.corpora.joining import Joining, join
from spacy_bertcrf.corpora.language import guess_language
from spacy_bertcrf.corpora.lines import read_lines
from spacy_bertcrf.corpora.malformed import well_formed
from spacy_bertcrf.corpora.offsets import convert, decide
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.prefixed_labels import have_letters, join_words
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Record
from spacy_bertcrf.corpora.sources import Source
from spacy_bertcrf.corpora.spacing import with_own_spaces
from spacy_bertcrf.tagging.repair import check_scheme

UNREAD_FILE = "file that no format reads"

_RECORDS_SEEN = 1000

Located = tuple[Record, ProblemLog]


class Corpus(NamedTuple):
    """What files hold.

    docs: the documents.
    problems: what is wrong in the files.
    format: the name of their format; of several, all names.
    lang: the language code.
    scheme: the tag scheme, where there are tags.
    evidence: how each format was recognised and how offsets count, in sentences.
    """

    docs: list[Doc]
    problems: ProblemLog
    format: str
    lang: str
    scheme: str | None
    evidence: list[str]


class CorpusReader:
    """Reads the Docs of files one by one.

    inputs: files, folders and globs, or sources.
    format: the name of a format, or "auto" to decide by what each file shows.
    options: what the user says of the files.
    encoding: encoding of those that are texts.
    spans_key, annotated_labels: as in `DocMaker`.
    joining: which sentences to join.
    without: a file or folder that is not taken from folders and globs: the one to be written.
    keep_empty: whether an empty text is a Doc without tokens, rather than a problem.

    Raises ValueError if there is no such file or format, or if no format fits a file.
    """

    def __init__(
        self,
        inputs: Iterable[Path | str | Source],
        format: str = "auto",
        options: Options | None = None,
        *,
        encoding: str = "utf8",
        spans_key: str | None = None,
        annotated_labels: Sequence[str] | None = None,
        joining: Joining | None = None,
        without: Path | None = None,
        keep_empty: bool = False,
    ) -> None:
        self.options = options or Options()
        if self.options.scheme is not None:
            check_scheme(self.options.scheme)
        self._given = get_format(format) if format != "auto" else None
        self._joining = joining or Joining()
        self._keep_empty = keep_empty
        self.sources = sources_of(inputs, format, encoding, without)
        self.problems = ProblemLog(self.sources[0].path)
        self.evidence: list[str] = []
        self._read = self._choose()
        self.formats = list(dict.fromkeys(format for format, _ in self._read))
        _check_options(self.options, self.formats)
        self._records, self.lang = self._with_language()
        self._maker = DocMaker(self.lang, spans_key, annotated_labels)

    @property
    def vocab(self) -> Vocab:
        """The vocabulary of all its Docs."""
        return self._maker.vocab

    @property
    def format(self) -> str:
        """The names of the files' formats."""
        return ", ".join(format.name for format in self.formats)

    @property
    def notes(self) -> dict[str, str]:
        """What was found out in reading, by its name; complete when all Docs are read."""
        return self.problems.notes

    def documents(self) -> Iterator[tuple[Doc, bool | None]]:
        """Read the Docs, once. Returns each with whether a document begins with it, where its file
        says; otherwise None. Raises ValueError if a file cannot be read as its format."""
        docs = self._docs()
        if not self._joining:
            return docs
        if self._joining.documents:
            docs = self._with_boundaries(docs)
        return join(docs, self._joining, self.lang)

    def _choose(self) -> list[tuple[Format, Source]]:
        chosen: list[tuple[Format, Source]] = []
        why: Counter[tuple[str, str]] = Counter()
        unread: list[ValueError] = []
        for source in self.sources:
            if self._given is not None:
                chosen.append((self._given, source))
                continue
            try:
                format, evidence = choose(source, self.options)
            except ValueError as err:
                if source.is_named:
                    raise
                unread.append(err)
                if not is_description(source.path):
                    self.problems.of(source.path).add(UNREAD_FILE, 0, str(err))
                continue
            chosen.append((format, source))
            why[format.name, evidence.what] += 1
            if len(self.sources) > 1:
                source.release()
        if not chosen:
            # Of a folder's files, what is to be mended in one, rather than what another is not.
            raise max(unread, key=lambda error: isinstance(error, NearlyFits))
        for (name, what), count in why.items():
            files = f"{count:,} files: " if count > 1 else ""
            self.evidence.append(f"{name}: {files}{what}")
        return chosen

    def _located(self) -> Iterator[Located]:
        pooled: dict[Format, list[Source]] = {}
        for format, source in self._read:
            if format.pooled:
                pooled.setdefault(format, []).append(source)
            else:
                yield from self._of_sources(format, [source])
        for format, sources in pooled.items():
            yield from self._of_sources(format, sources)

    def _of_sources(self, format: Format, sources: list[Source]) -> Iterator[Located]:
        records = chain.from_iterable(self._of_source(format, source) for source in sources)
        if format.offsets is None:
            yield from records
            return
        found: list[Located] = []
        for record, log in records:
            # Tokens need no counting, and millions of them no place in memory.
            if record.tokens is not None and not found:
                yield record, log
            else:
                found.append((record, log))
        path = sources[0].path if len(sources) == 1 else sources[0].path.parent
        rule = format.offsets.with_ends(self.options.ends)
        counting, why = decide([record for record, _ in found], rule, path)
        if why and why not in self.evidence:
            self.evidence.append(why)
        lettered = have_letters(record for record, _ in found)
        for record, log in found:
            convert(record, counting, log)
            if lettered:
                join_words(record, log)
            yield record, log

    def _of_source(self, format: Format, source: Source) -> Iterator[Located]:
        log = self.problems.of(source.path)
        if not format.binary and source.is_text:
            tell_bytes(source, log)
        records = format.read(source, self.options, log)
        formed = (record for record in records if well_formed(record, log, self._keep_empty))
        for record in with_own_spaces(formed):
            yield record, log
        source.release()

    def _with_language(self) -> tuple[Iterator[Located], str]:
        records = self._located()
        lang = self.options.lang or next((f.lang for f in self.formats if f.lang), None)
        if lang is not None:
            return records, lang
        first = list(islice(records, _RECORDS_SEEN))
        pieces = (record.tokens or [record.text or ""] for record, _ in first)
        return chain(first, records), guess_language(chain.from_iterable(pieces))

    def _docs(self) -> Iterator[tuple[Doc, bool | None]]:
        path = None
        for record, log in self._records:
            doc = self._maker.make(record, log)
            if doc is None:
                continue
            new = record.new_document
            if self._joining and new is None and _is_sentence(record):
                new = log.path != path
            path = log.path
            yield doc, new

    def _with_boundaries(
        self, docs: Iterator[tuple[Doc, bool | None]]
    ) -> Iterator[tuple[Doc, bool | None]]:
        sentences = starts = 0
        for doc, new in docs:
            sentences += new is not None
            starts += new is True
            yield doc, new
        if sentences > starts and starts <= len(self.sources):
            more = f" and {len(self.sources) - 1} more" if len(self.sources) > 1 else ""
            raise ValueError(
                f"{self.sources[0].path}{more}: nothing says where a second document begins "
                "(-DOCSTART- or # newdoc would), and with --documents all would be one. Join by "
                "number: --sentences 10."
            )


def _is_sentence(record: Record) -> bool:
    """Whether a record of a file that does not know documents may be joined to others: tokens are
    given sentence by sentence, texts are documents of their own."""
    return record.tokens is not None and record.sentences is None


def read_corpus(
    inputs: Path | str | Source | Sequence[Path | str | Source],
    format: str = "auto",
    *,
    lang: str | None = None,
    scheme: str | None = None,
    token_column: int | None = None,
    tag_column: int | None = None,
    encoding: str = "utf8",
    classes: Path | None = None,
    **options: Any,
) -> Corpus:
    """Read the documents of files, and note what is wrong in them.

    inputs: a file, folder or glob, or a source of bytes; or several.
    format: the name of a format, or "auto" to decide by what the files show.
    lang: language code. If None, that of the format, and guessed for others.
    scheme: tag scheme of a column file, one of ``tagging.repair.FILE_SCHEMES``. If None, detected.
    token_column, tag_column: columns from 1, or from -1 for the last.
    encoding: encoding of the files, and of `classes`.
    classes: a file with the names of the classes whose numbers, from 0, are the labels of texts.
    options: other fields of `Options` and arguments of `CorpusReader`.

    Returns the documents and the problems; there may be none of either. Raises ValueError if an
    argument does not fit the files or no format does, ImportError if the language is unknown or
    its tokenizer is not installed, OSError if a file cannot be read.
    """
    paths = [inputs] if isinstance(inputs, Path | str | Source) else list(inputs)
    names = None if classes is None else read_classes(classes, read_lines(classes, encoding))
    settings = {name: options.pop(name) for name in list(options) if name in _OF_FORMATS}
    said = Options(lang, scheme, token_column, tag_column, classes=names, **settings)
    reader = CorpusReader(paths, format, said, encoding=encoding, **options)
    docs = [doc for doc, _ in reader.documents()]
    for doc, cats in zip(docs, with_all_categories([doc.cats for doc in docs], names), strict=True):
        doc.cats = cats
    scheme = reader.notes.get("Tag scheme", "").split(" ")[0] or None
    return Corpus(docs, reader.problems, reader.format, reader.lang, scheme, reader.evidence)


_OF_FORMATS = ("label", "labels", "annotations", "text_key", "ends", "locate")


def _check_options(options: Options, formats: Sequence[Format]) -> None:
    used = {name for format in formats for name in format.options}
    for name in sorted(options.given() - used):
        takers = [other.name for other in all_formats().values() if name in other.options]
        read_as = ", ".join(format.name for format in formats)
        raise ValueError(
            f"--{name.replace('_', '-')} is not for {read_as}, as which this is read. It is for "
            f"--format {' or '.join(takers)}."
        )
