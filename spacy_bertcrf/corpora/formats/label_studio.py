"""Label Studio's JSON and JSON-MIN (Tkachenko et al., 2020, "Label Studio: Data labeling
software").

In JSON a task is ``{"data": {"text": …}, "annotations": [{"result": [{"type": "labels", "value":
{"start": 0, "end": 4, "text": "Anna", "labels": ["PER"]}, …}]}]}``; before version 1.0 the key was
``"completions"``. In JSON-MIN the data's keys lie beside those of the controls: ``{"text": …,
"label": [{"start": 0, …}], "annotation_id": 1}``, a task again for each of its annotations.

Predictions and drafts are no annotation. Offsets counted UTF-16 units until October 2021 and code
points since; the text of each region tells. Those of HTML and of dialogues are places in a page,
and are not read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import Any

from spacy_bertcrf.corpora.annotators import choose_annotation
from spacy_bertcrf.corpora.counting import Counting, OffsetRule
from spacy_bertcrf.corpora.formats.format import AGAINST, CERTAIN, Evidence, Format, Writer
from spacy_bertcrf.corpora.formats.label_studio_tasks import (
    Region,
    Task,
    is_minimal_task,
    is_predicted_task,
    is_task,
    read_tasks,
)
from spacy_bertcrf.corpora.formats.label_studio_writer import write_label_studio
from spacy_bertcrf.corpora.json_values import looks_like_json, sample_objects
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record
from spacy_bertcrf.corpora.repeats import tell_repeats
from spacy_bertcrf.corpora.sources import Source

PLACE_IN_PAGE = "entity in HTML or a dialogue"
LEFT_OUT = "Left out"


class LabelStudio(Format):
    """Label Studio's tasks."""

    name = "label-studio"
    description = "Label Studio's JSON or JSON-MIN"
    options = frozenset({"annotations", "label", "text_key"})
    offsets = OffsetRule(Counting(), other_ends=False)
    writes_scores = True

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """By "data" beside "annotations" with results, or regions with "labels" in lists."""
        if not looks_like_json(source):
            return None
        values = sample_objects(source)
        if any(map(is_task, values)):
            return Evidence("tasks with 'data' and annotations of 'result's", CERTAIN)
        if any(map(is_minimal_task, values)):
            return Evidence("regions with start, end and a list of labels: JSON-MIN", CERTAIN)
        if any(map(is_predicted_task, values)):
            what = (
                "tasks with predictions alone, which are no annotation and are left out; submit "
                "them in Label Studio, and export again"
            )
            return Evidence(what, AGAINST, is_close=True)
        return Evidence("no tasks with data and annotated results", AGAINST)

    @property
    def writer(self) -> Writer:
        """Writes it as `write_label_studio` says."""
        return write_label_studio

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterator[Record]:
        """One record a task, or one for each of its texts that is annotated. Raises ValueError if
        nothing says which of several texts that is, or if all entities are in HTML."""
        tasks = list(read_tasks(source, problems))
        _check_places(tasks, source)
        keys = _text_keys(tasks, options, source)
        records = chain.from_iterable(_records(task, keys, options, problems) for task in tasks)
        yield from tell_repeats(records, problems)
        left_out = sum((task.left_out for task in tasks), Counter())
        for kind, count in left_out.items():
            problems.count(f"{LEFT_OUT}: {kind}", count)


def _records(
    task: Task, keys: dict[str, str], options: Options, problems: ProblemLog
) -> Iterator[Record]:
    # The name "" stands for the texts of a project that only has categories.
    has_regions = any(keys) or not task.cats
    for key in dict.fromkeys(keys.values()):
        text = task.data.get(key)
        if text is None and len(set(keys.values())) > 1:
            continue
        record = Record(task.line, text=text, key=task.key, cats=task.cats or None)
        found = []
        for regions in task.annotations:
            own = [region for region in regions if keys[region.of] == key]
            for region in own:
                if region.place is not None:
                    what = f"{region.place}: its place in the page is not read"
                    problems.add(PLACE_IN_PAGE, task.line, what)
                    record.missing.append((0, len(str(text))))
            found.append([m for region in own for m in _mentions(region, text, options)])
        if has_regions:
            choose_annotation(record, found, options.annotations, problems)
        yield record


def _mentions(region: Region, text: Any, options: Options) -> Iterator[Mention]:
    if region.place is not None:
        return
    surface = region.surface
    if surface and "\\n" in surface and isinstance(text, str) and "\\n" not in text:
        # Some versions write a line break as a backslash and an n.
        surface = surface.replace("\\n", "\n")
    for label in region.labels or [options.label]:
        yield Mention(region.start, region.end, label, surface)


def _check_places(tasks: list[Task], source: Source) -> None:
    regions = [region for _, region in _regions(tasks)]
    if regions and all(region.place is not None for region in regions):
        raise ValueError(
            f"{source.path}: all {len(regions):,} entities are in HTML or dialogues, with places "
            f"in a page ({regions[0].place}) for offsets, which are not read. Export a project "
            "whose texts are <Text>, not <HyperText> or <Paragraphs>."
        )


def _text_keys(tasks: list[Task], options: Options, source: Source) -> dict[str, str]:
    """For each object that regions are in, as they name it, the key of its text in the data."""
    candidates = Counter(key for task in tasks for key in task.texts)
    if options.text_key is not None:
        if options.text_key not in candidates:
            raise ValueError(
                f"{source.path}: no task has a text under {options.text_key!r}. Those with texts "
                f"are {', '.join(candidates) or 'none'}."
            )
        candidates = Counter({options.text_key: 1})
    if not candidates:
        raise ValueError(
            f"{source.path}: no task has a text in its data, but at most addresses of files. "
            "Export with the texts themselves."
        )
    found: dict[str, list[tuple[Task, Region]]] = {}
    for task, region in _regions(tasks):
        found.setdefault(region.of, []).append((task, region))
    return {
        name: _text_key(name, regions, list(candidates), source)
        for name, regions in (found or {"": []}).items()
    }


def _text_key(
    name: str, regions: list[tuple[Task, Region]], candidates: list[str], source: Source
) -> str:
    """The key of the texts that hold the surfaces of regions, best at their offsets; of several,
    the one that is called as the regions call their object, or "text"."""
    if len(candidates) == 1:
        return candidates[0]
    fits = Counter(dict.fromkeys(candidates, 0))
    for task, region in regions:
        surface = _solid(region.surface)
        for key, text in task.texts.items() if surface and region.place is None else ():
            is_placed = type(region.end) is int
            at_place = is_placed and _solid(text[region.start : region.end]) == surface
            fits[key] += 2 if at_place else surface in _solid(text)
    best = [key for key in candidates if fits[key] == max(fits.values())]
    named = [key for key in (name, "text") if key in best]
    if len(best) > 1 and not named:
        raise ValueError(
            f"{source.path}: the tasks have several texts ({', '.join(best)}), and nothing says "
            f"which of them was annotated. Name it, e.g. --text-key {best[0]}."
        )
    return (named or best)[0]


def _regions(tasks: list[Task]) -> Iterator[tuple[Task, Region]]:
    for task in tasks:
        for regions in task.annotations:
            for region in regions:
                yield task, region


def _solid(text: str | None) -> str:
    return "".join((text or "").split())
