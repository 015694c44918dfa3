"""Decisions on suggestions: what is accepted is in the corpus, and nothing else has changed."""

import json
from collections import Counter

import pytest
import spacy

from spacy_bertcrf.corpora.decisions import apply_decisions

NLP = spacy.blank("zh")
NAME = {"start": 0, "end": 3, "label": "name", "text": "王小明"}
PLACE = {"start": 4, "end": 6, "label": "address", "text": "北京"}
SCHOOL = {"start": 4, "end": 8, "label": "organization", "text": "北京大学"}


def corpus():
    doc = NLP.make_doc("王小明在北京大学工作。")
    doc.ents = [doc.char_span(0, 3, label="name"), doc.char_span(4, 6, label="address")]
    return [NLP.make_doc("天气很好"), doc]


def decide(tmp_path, *lines, docs=None):
    path = tmp_path / "decisions.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf8")
    docs = corpus() if docs is None else docs
    counts = apply_decisions(docs, path)
    return counts, [{(e.text, e.label_) for e in doc.ents} for doc in docs]


def line(decision, gold=(), suggested=(), document=2, **more):
    entities = {"gold": list(gold), "suggested": list(suggested)}
    return {"document": document, **entities, "decision": decision, **more}


def test_what_is_accepted_takes_the_place_of_gold(tmp_path):
    counts, (_, ents) = decide(tmp_path, line("accept", [PLACE], [SCHOOL]), line(None, [NAME]))
    assert ents == {("王小明", "name"), ("北京大学", "organization")}
    assert counts == Counter(accept=1, undecided=1)


def test_gold_that_is_kept_stays_and_what_should_not_be_there_goes(tmp_path):
    docs = corpus()
    _, (_, ents) = decide(tmp_path, line("keep", [NAME], []), line("accept", [PLACE]), docs=docs)
    assert ents == {("王小明", "name")}
    assert docs[1][4].ent_iob_ == "O"


def test_a_list_of_ones_own_is_all_that_the_text_has(tmp_path):
    own = line("entities", [PLACE], entities=[SCHOOL])
    counts, (_, ents) = decide(tmp_path, own)
    assert ents == {("北京大学", "organization")}
    assert counts == Counter(entities=1)


def test_tokens_of_which_nothing_is_known_stay_so(tmp_path):
    """Else what nobody has annotated would be learned as outside of entities."""
    docs = corpus()
    docs[1].set_ents([docs[1].char_span(0, 3, label="name")], default="missing")
    decide(tmp_path, line("accept", [NAME], [{"start": 0, "end": 1, "label": "name"}]), docs=docs)
    assert [token.ent_iob_ for token in docs[1]][:4] == ["B", "O", "O", ""]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([line(None), "no"], "line 2: no JSON object"),
        ([line("yes")], "line 1: 'yes' is none of the decisions accept, keep, entities"),
        ([line("keep", document=3)], "line 1: 'document' is 3; it has to be a number from 1 to 2"),
        ([line("keep", text="别的")], "line 1: the text of document 2 is another one"),
        ([line("accept", [SCHOOL])], "line 1: organization '北京大学' is no entity of the text"),
        ([line("accept", [], [SCHOOL])], "line 1: address '北京' and organization '北京大学' over"),
        ([line("accept", [PLACE], [{**SCHOOL, "text": "上海"}])], "the text has '北京大学', not"),
        ([line("accept", [], [{"start": 9, "end": 99, "label": "x"}])], "does not fit the tokens"),
        ([line("accept", [], [{"start": 8, "end": 9, "label": ""}])], "has an empty label"),
        ([line("accept", [], ["x"])], "'x' is no entity with 'start', 'end' and 'label'"),
        ([line("entities")], "there is no list of entities under 'entities'"),
        ([line("entities", entities=[]), line("accept", [PLACE])], "line 2: line 1 has all ent"),
        ([line("entities", entities=[])] * 2, "line 2: line 1 has other entities"),
        ([line("accept", [PLACE]), line("keep", [PLACE])], "line 2: '北京' is kept here and rep"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_line_and_nothing_changes(tmp_path, lines, message):
    docs = corpus()
    with pytest.raises(ValueError, match=r"decisions\.jsonl, line") as error:
        decide(tmp_path, *lines, docs=docs)
    assert message in str(error.value)
    assert len(docs[1].ents) == 2
