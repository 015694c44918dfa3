"""`python -m spacy bertcrf apply-review`: decisions on suggestions, taken back into a corpus."""

from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from spacy_bertcrf.cli import bertcrf_app


@bertcrf_app.command("apply-review")
def apply_review_cli(
    corpus: Annotated[
        Path, typer.Argument(metavar="CORPUS", help="What was reviewed: a .spacy file, or folds")
    ],
    decisions: Annotated[
        Path, typer.Argument(metavar="DECISIONS.jsonl", help="Suggestions with their decisions")
    ],
    output: Annotated[Path, typer.Argument(metavar="OUT.spacy", help="The corpus to write")],
) -> None:
    """Write a corpus with the annotations that were decided on.

    A line of DECISIONS is one that `review` wrote, with a "decision": "accept" puts what is
    suggested in the place of gold, "keep" leaves gold as it is, and "entities" takes all entities
    of the text from a list under that name. Lines without a decision change nothing. One that does
    not fit the corpus is an error that names its line, and nothing is written.
    """
    from spacy_bertcrf.corpora.decisions import UNDECIDED, apply_decisions
    from spacy_bertcrf.corpora.stored import read_stored
    from spacy_bertcrf.evaluation.figure_file import write_whole

    try:
        if output.is_dir() or output.suffix != ".spacy":
            raise ValueError(f"{output} is no .spacy file. Name the corpus to write.")
        files = [corpus]
        if corpus.is_dir():
            files = sorted(corpus.glob("fold-*/dev.spacy"), key=_number)
            if not files:
                raise ValueError(f"{corpus} has no fold-1/dev.spacy, so it is no folder of folds.")
        stored = [read_stored(file) for file in files]
        docs = [doc for part in stored for doc in part.docs]
        counts = apply_decisions(docs, decisions)
        write_whole(output, stored[0].to_bytes(docs))
    except (ValueError, OSError) as err:
        msg.fail("Nothing was written", str(err), exits=1)
    names = {"accept": "accepted", "keep": "kept as they are", "entities": "texts annotated anew"}
    for decision, name in (*names.items(), (UNDECIDED, UNDECIDED)):
        msg.text(f"{name}: {counts[decision]:,}")
    msg.good(f"Wrote {len(docs):,} documents to {output}")


def _number(path: Path) -> int:
    digits = path.parent.name.removeprefix("fold-")
    return int(digits) if digits.isdecimal() else 0
