"""One file a format: how it is recognised, how it is read, and where it can, how it is written.

To add one, write a module with a subclass of `Format` and name it in an entry point of the group
`spacy_bertcrf_formats`, in this package's setup.cfg or in that of any other::

    spacy_bertcrf_formats =
        doccano = spacy_bertcrf.corpora.formats.doccano:Doccano

The subclass says its `name`, its `description`, the `options` that it uses, and how its `offsets`
count, and has two methods. `recognise(source, options)` returns an `Evidence`, or None; among the
formats that recognise a file, the one whose evidence is strongest reads it, and two as strong are
an error. Be strict: name what only this format has, and leave POSSIBLE to formats that anything
could be. `read(source, options, problems)` yields a `Record` a text or sentence, with what the file
says as the file says it, and reports with `problems.add(kind, line, what)` each line or entity that
it leaves out. It does not tokenise, trim, sort, drop overlaps or turn offsets: entities are
`Mention`s with the file's offsets, its surface if it has one, and its line.

- `corpora/sources.py`: `source.text` (line ends as they are), `source.lines()`, `source.data`.
- `corpora/json_values.py`: `read_values(source, problems)` and `sample_objects(source)`.
- `corpora/offsets.py`: `OffsetRule(own=Counting(...))`; surfaces decide, then word borders.
- `corpora/documents.py`: makes the Docs; `corpora/reading.py` puts all together. A test calls
  `read_corpus(path)` and looks at `.docs`, `.problems`, `.format` and `.evidence`.
"""

from __future__ import annotations

from functools import cache

import catalogue

from spacy_bertcrf.corpora.formats.format import Evidence, Format

__all__ = ["Evidence", "Format", "all_formats", "get_format"]

registry = catalogue.create("spacy_bertcrf", "formats", entry_points=True)


@cache
def all_formats() -> dict[str, Format]:
    """All registered formats by their names."""
    return {name: make() for name, make in sorted(registry.get_all().items())}


def get_format(name: str) -> Format:
    """Look up a format. Raises ValueError if there is none of that name."""
    formats = all_formats()
    if name not in formats:
        raise ValueError(f"There is no format {name!r}. Use one of: {', '.join(formats)}.")
    return formats[name]
