"""The picture of README: entities with their scores, and how often such entities are right.

    python -m spacy project run all
    python benchmarks/score_picture.py

Draws, from the pipeline that the project trains on the sample corpus, the sentences of the
sample's test set in which the scores of the entities differ most, of those that fit on a line,
and a reliability diagram over the whole test set. Writes assets/scores.svg with matplotlib
(`pip install -e ".[plot]"`). All text in it is synthetic.
"""

import argparse
import logging
import warnings
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import matplotlib
import spacy
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyBboxPatch
from matplotlib.textpath import TextPath
from spacy.tokens import Doc
from spacy.training import Corpus

from spacy_bertcrf.evaluation.annotated import annotated_through
from spacy_bertcrf.evaluation.calibration import Calibration, measure_calibration
from spacy_bertcrf.evaluation.reliability_diagram import draw_reliability

ROOT = Path(__file__).parents[1]
SPANS_KEY = "entities"
N_SENTENCES, N_BINS = 5, 5
WIDTH, HEIGHT, DIAGRAM, MARGIN = 9.6, 2.9, 2.05, 0.15  # inches
TEXT_SIZE, LABEL_SIZE = 12.5, 8  # points
LINE_WIDTH = (WIDTH - DIAGRAM - 6 * MARGIN) * 72 / TEXT_SIZE  # these and the next in em of the text
HALF_WIDTH, BOX_HEIGHT, PADDING = 0.58, 1.5, 0.3
CHINESE_FONTS = ["Noto Sans CJK SC", "Noto Sans SC", "PingFang SC", "Microsoft YaHei", "sans-serif"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pipeline", type=Path, default=ROOT / "training/sample/model-best")
    parser.add_argument("--test", type=Path, default=ROOT / "corpus/sample/test.spacy")
    parser.add_argument("--output", type=Path, default=ROOT / "assets/scores.svg")
    args = parser.parse_args()
    nlp = spacy.load(args.pipeline, config={"components.bertcrf.spans_key": SPANS_KEY})
    examples = list(annotated_through(nlp, "bertcrf", Corpus(args.test)(nlp)))
    docs = most_telling([example.predicted for example in examples])
    calibration = measure_calibration(examples, SPANS_KEY, N_BINS)
    draw(docs, calibration, nlp.get_pipe("bertcrf").labels, args.output)


class Piece(NamedTuple):
    """A token that is in no entity; or an entity, with a caption of label and score."""

    text: str
    label: str = ""
    caption: str = ""

    @property
    def caption_width(self) -> float:
        bold = FontProperties(weight="bold")
        outline = TextPath((0, 0), self.caption, size=LABEL_SIZE, prop=bold)
        return outline.get_extents().width / TEXT_SIZE

    @property
    def width(self) -> float:
        return text_width(self.text) + (self.caption_width + 4 * PADDING if self.label else 0)


def most_telling(docs: list[Doc]) -> list[list[Piece]]:
    """The Docs on a line whose surest and least sure entities are furthest apart."""

    def spread(doc: Doc) -> float:
        scores = doc.spans[SPANS_KEY].attrs["scores"]
        return max(scores) - min(scores)

    with_some = [doc for doc in docs if len(doc.ents) > 1]
    lines = [pieces(doc) for doc in sorted(with_some, key=spread, reverse=True)]
    return [line for line in lines if sum(p.width for p in line) <= LINE_WIDTH][:N_SENTENCES]


def pieces(doc: Doc) -> list[Piece]:
    scores = dict(zip(doc.ents, doc.spans[SPANS_KEY].attrs["scores"], strict=True))
    starts = {ent.start: ent for ent in doc.ents}
    inside = {token.i for ent in doc.ents for token in ent}
    found = []
    for token in doc:
        if token.i in starts:
            ent = starts[token.i]
            found.append(Piece(ent.text, ent.label_, f"{ent.label_} {scores[ent]:.2f}"))
        elif token.i not in inside:
            found.append(Piece(token.text))
    return found


def text_width(text: str) -> float:
    return sum(HALF_WIDTH if character.isascii() else 1.0 for character in text)


def draw(
    lines: list[list[Piece]], calibration: Calibration, labels: Sequence[str], output: Path
) -> None:
    # The fonts are the viewer's; matplotlib need not have them.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message="Glyph .* missing")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "scores"})
    figure = Figure(figsize=(WIDTH, HEIGHT), facecolor="white")
    width, height = LINE_WIDTH * TEXT_SIZE / 72, HEIGHT - 2 * MARGIN
    text = figure.add_axes(
        (MARGIN / WIDTH, MARGIN / HEIGHT, width / WIDTH, height / HEIGHT),
        xlim=(0, LINE_WIDTH),
        ylim=(height * 72 / TEXT_SIZE, 0),
    )
    text.axis("off")
    colours = dict(zip(labels, matplotlib.colormaps["Set3"].colors, strict=False))
    for i, line in enumerate(lines):
        x, y = 0.0, (i + 0.5) * text.get_ylim()[0] / len(lines)
        for piece in line:
            draw_piece(text, piece, x, y, colours)
            x += piece.width
    left, bottom = WIDTH - DIAGRAM - MARGIN, 3 * MARGIN
    diagram = figure.add_axes((left / WIDTH, bottom / HEIGHT, DIAGRAM / WIDTH, DIAGRAM / HEIGHT))
    draw_reliability(diagram, calibration)
    diagram.tick_params(labelsize=8)
    diagram.set_ylabel("share that is right")
    figure.savefig(output, metadata={"Date": None})


def draw_piece(axes: Axes, piece: Piece, x: float, y: float, colours: dict) -> None:
    centred = {"ha": "center", "va": "center_baseline"}
    if piece.label:
        box = FancyBboxPatch(
            (x + PADDING / 2, y - BOX_HEIGHT / 2),
            piece.width - PADDING,
            BOX_HEIGHT,
            boxstyle=f"round,pad=0,rounding_size={PADDING}",
            facecolor=colours[piece.label],
            linewidth=0,
        )
        axes.add_patch(box)
        at = x + piece.width - 1.5 * PADDING - piece.caption_width / 2
        axes.text(at, y, piece.caption, weight="bold", **centred, fontsize=LABEL_SIZE)
        x += 1.5 * PADDING
    # Every Chinese character has its own place: how wide they are is up to the viewer's font.
    for is_ascii, run in groupby(piece.text, str.isascii):
        for part in ["".join(run)] if is_ascii else run:
            width = text_width(part)
            axes.text(x + width / 2, y, part, family=CHINESE_FONTS, **centred, fontsize=TEXT_SIZE)
            x += width


if __name__ == "__main__":
    main()
