"""Says in a few words what is in a file, for messages about files that no format reads."""

from __future__ import annotations

import re
from collections import Counter
from itertools import islice
from typing import Any

from spacy_bertcrf.corpora.arrow_tables import kind_of_table, open_table
from spacy_bertcrf.corpora.json_places import places
from spacy_bertcrf.corpora.json_values import looks_like_json, read_values, sample
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.sources import Source
from spacy_bertcrf.corpora.unread_bytes import describe_bytes, why_no_text
from spacy_bertcrf.corpora.word_tags import is_tag_list

_LINES_SEEN = 1000
_HEAD = 20_000
_SEPARATORS = {"\t": "tabs", " +": "spaces", ",": "commas", ";": "semicolons"}
_KEYS_SHOWN = 12
_PLACES_SEEN = 50
_TAGS_SHOWN = 3
# A key whose value is the name of a file, and such names.
_KEY_OF_FILE = re.compile(r"(?i).*(location|uri|url|ref|file|path|filename|document)")
_FILE = re.compile(r"(?i)(s3|gs|https?|file)://\S.*|.*\.(txt|html?|pdf|xml)")
# What other programs read, and this one does not.
_KNOWN = {
    r'^c="[^"\n]*" \d+:\d+ \d+:\d+\|\|t="': "i2b2's concepts (.con), which name lines and words "
    "of another file",
    r"\A\s*\{\s*'": "Python's objects, whose strings are in single quotes; json.dump writes JSON",
    r"^\d+\t\(\(\t": "Shakti Standard Format (SSF), phrases in brackets",
    r"<xmi:XMI\b": "UIMA's XMI; INCEpTION exports WebAnno TSV, which is read",
    r"<GateDocument\b": "GATE's XML; GATE exports BioC and brat, which are read",
    r"<[a-zA-Z_]{1,3} [^<>\n=/]+>": "text with names in angle brackets, <pf Anna>, as CNEC's",
    r"^(?:\d+,\d+ \S+\|)*\d+,\d+ \S+$": "sentences with spans in a line below each",
}
# A word that nearly every file of annotations has a key for.
_ANNOTATION = re.compile(r"entit|label|annot|span|tag|ner|mention", re.IGNORECASE)


def describe(source: Source) -> str:
    """Describe what a file holds: "a JSON list of objects with the keys data, predictions; no
    annotation among them", "HTML", "a table of 3 columns apart by tabs"."""
    if source.is_folder:
        return "a folder"
    table = kind_of_table(source)
    if table is not None:
        return _describe_table(source, table)
    known_bytes = describe_bytes(source)
    if known_bytes is not None:
        return known_bytes
    if not source.is_text:
        return why_no_text(source)
    start = source.text[:2000].lstrip()
    if not start:
        return "an empty file"
    if looks_like_json(source):
        return _describe_json(source)
    head = source.text[:_HEAD]
    known = [what for pattern, what in _KNOWN.items() if re.search(pattern, head, re.MULTILINE)]
    if known:
        return known[0]
    if re.match(r"<(!doctype html|html|head|body|div|p)\b", start, re.IGNORECASE):
        return "HTML"
    if start.startswith("<?xml"):
        return "XML"
    return _describe_lines(source)


def _describe_table(source: Source, kind: str) -> str:
    try:
        with open_table(source) as table:
            return f"{kind} with the columns {', '.join(table.columns[:_KEYS_SHOWN])}"
    except (ImportError, ValueError):
        return kind


def _describe_json(source: Source) -> str:
    values = sample(source)
    as_list = "a JSON list" if source.text.lstrip().startswith("[") else "JSON values"
    if not values:
        problems = ProblemLog(source.path)
        list(read_values(source, problems))
        first = next(iter(problems), None)
        return f"broken JSON ({first.place}: {first.what})" if first else "JSON without a value"
    if not all(isinstance(value, dict) for value in values):
        kinds = Counter(_kind(value) for value in values)
        return f"{as_list} of {' and '.join(kinds)}"
    keys = Counter(key for value in values for key in value)
    shown = ", ".join(key for key, _ in keys.most_common(_KEYS_SHOWN))
    none = "" if any(map(_ANNOTATION.search, keys)) else "; no annotation among them"
    return f"{as_list}: objects with the keys {shown or '(none)'}{none}{_elsewhere(source)}"


def _elsewhere(source: Source) -> str:
    """Where the texts are, of a file that says it: that of Azure, tagtog or Ground Truth may have
    the annotation alone."""
    for _, values in islice(places(source), _PLACES_SEEN):
        for value in values:
            for key, of in value.items() if isinstance(value, dict) else ():
                is_file = isinstance(of, str) and _FILE.fullmatch(of)
                if is_file and _KEY_OF_FILE.fullmatch(key):
                    return f"; their texts may be in other files ({key!r} says {of!r})"
                if key == "annotatable":
                    return "; the texts that tagtog annotated are in .html files beside"
    return ""


def _kind(value: Any) -> str:
    names = {dict: "objects", list: "lists", str: "strings", type(None): "nulls"}
    return names.get(type(value), "numbers")


def _describe_lines(source: Source) -> str:
    lines = [line for line in islice(source.lines(), _LINES_SEEN) if line.strip(" \t")]
    if is_tag_list([line.split() for line in lines]):
        return f"a list of tags ({', '.join(map(str.strip, lines[:_TAGS_SHOWN]))}, …), and no text"
    for separator, named in _SEPARATORS.items():
        counts = Counter(len(re.split(separator, line.strip(" "))) for line in lines)
        columns, count = counts.most_common(1)[0]
        if columns > 1 and 2 * count > len(lines):
            return f"a table of {columns} columns apart by {named}"
    average = sum(map(len, lines)) / len(lines)
    return f"plain text, 1 column, lines of {average:.0f} characters on average"
