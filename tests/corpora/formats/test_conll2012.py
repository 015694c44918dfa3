"""OntoNotes' columns and WebAnno's, invented."""

import pytest

WORDS = """#begin document (nw/xy/00/xy_0001); part 000
nw/xy/00/xy_0001  0  0  The   DT  (TOP(S(NP*  -  -  -  -  (ORG(GPE)  *   -
nw/xy/00/xy_0001  0  1  Bonn  NNP *           -  -  -  -  *          *   (1
nw/xy/00/xy_0001  0  2  Bank  NNP *)          -  -  -  -  *)         *   1)
nw/xy/00/xy_0001  0  3  saw   VBD (VP*        see 01 1 -  *        (V*) -
nw/xy/00/xy_0001  0  4  Lee   NNP (NP*)))     -  -  -  -  (PERSON)   (ARG1*) -

nw/xy/00/xy_0001  0  0  It    PRP (TOP(S*))   -  -  -  -  *          *   -

#end document
#begin document (nw/xy/00/xy_0002); part 000
nw/xy/00/xy_0002  0  0  Rain  NN  (TOP*)      -  -  -  -  *          *   -
"""


@pytest.mark.parametrize("separator", ["   ", "\t"])
def test_ontonotes(read, separator):
    """Else its documents have to be converted by somebody's script first."""
    lines = [separator.join(of.split()) if of[:2] == "nw" else of for of in WORDS.split("\n")]
    export = read("\n".join(lines), name="xy.v4_gold_conll", spans_key="sc")
    assert export.format == "conll2012"
    assert export.entities == [[("The Bonn Bank", "ORG"), ("Lee", "PERSON")], [], []]
    inner = [(span.text, span.label_) for span in export.docs[0].spans["sc"]]
    assert ("The", "GPE") in inner
    assert export.problems == []


def test_documents_of_ontonotes(read):
    """Else --documents does not know where one ends."""
    from spacy_bertcrf.corpora.joining import Joining

    export = read(WORDS, joining=Joining(documents=True))
    assert [len(doc) for doc in export.docs] == [6, 1]


def test_a_bracket_without_its_other_half(read):
    """Else an entity ends anywhere, or vanishes."""
    text = WORDS.replace("(PERSON)", "(PERSON*").replace("*)         *   1)", "*          *   1)")
    export = read(text)
    assert export.problems == [("bracket without its other half", line) for line in (2, 6)]
    assert export.unknown[0] == ["Bonn", "Bank", "saw", "Lee"]
    assert export.entities[0] == [("The", "GPE")]
