"""Entities as answers to questions."""

from spacy_bertcrf.tagging import ANNOTATED_LABELS

ASK = {"context": "Anna met Bob in New York", "qas_id": "0.1", "query": "who?"}


def question(label, *spans, **others):
    return {**ASK, "entity_label": label, "span_position": list(spans), **others}


def test_questions_about_one_text(read):
    """Else a text comes once for each label, and says each time that it has no other entity."""
    starts = {"start_position": [4], "end_position": [5]}
    export = read(
        question("PER", "0;0", "2;2"),
        {**ASK, "entity_label": "LOC", **starts},
        question("ORG", impossible=True),
        question("PER", "0;1", context="王 明 来 了", qas_id="1.1"),
    )
    assert export.format == "mrc"
    assert export.entities == [
        [("Anna", "PER"), ("Bob", "PER"), ("New York", "LOC")],
        [("王 明", "PER")],
    ]


def test_what_cannot_be_read(read):
    """Else an answer is lost without a word."""
    export = read(question("PER", "0;0"), question("LOC", "x"), question("ORG", "9;12"))
    assert export.entities == [[("Anna", "PER")]]
    assert export.problems == [("line that cannot be read", 2), ("offsets out of range", 3)]


def prompted(text, prompt, *found):
    places = [(one, text.index(one)) for one in found]
    results = [{"text": one, "start": at, "end": at + len(one)} for one, at in places]
    return {"content": text, "result_list": results, "prompt": prompt}


def test_prompts_of_labels(read):
    """Else a text has the entities of one prompt alone, and is none of the others', though nobody
    asked for those."""
    one, other = "2月8日谷爱凌夺金", "张三来了"
    export = read(
        prompted(one, "时间", "2月8日"),
        prompted(other, "选手", "张三"),
        prompted(one, "选手", "谷爱凌"),
        prompted(one, "谷爱凌的生日"),
        prompted(one, "天的名字"),
        prompted(one, "情感倾向[正向,负向]"),
        {"content": "没有", "prompt": "x"},
    )
    assert export.format == "mrc"
    assert export.entities == [[("2月8日", "时间"), ("谷爱凌", "选手")], [("张三", "选手")]]
    assert export.unknown == [[], ["来", "了"]]
    assert {span.label_ for span in export.docs[1].spans[ANNOTATED_LABELS]} == {"选手"}
    assert export.notes["Prompts of relations and classes, left out"] == "2"
    assert export.notes["Texts annotated for some of the labels alone"] == "1"
    assert export.problems == [("line that cannot be read", 7)]
