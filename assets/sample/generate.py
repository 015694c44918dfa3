"""Write the sample corpus: train.json, dev.json and test.json beside this script.

    python assets/sample/generate.py [FOLDER]

Every run writes the same bytes. The sentences are made from the frames in frames.py and the
names in names.py, all of them written or composed for this purpose.
"""

import json
import re
import sys
from collections import Counter
from pathlib import Path
from random import Random

from frames import BARE_ENDS, ENDS, FILLERS, NO_LABEL, ONE_LABEL, PREFIXES, SEVERAL_LABELS, TAILS
from names import Names

SIZES = {"train": 2400, "dev": 400, "test": 600}
STEMS = {"train": 240, "dev": 60, "test": 110}
SEED = 20240

SHARE_NO_LABEL = 0.12
SHARE_SEVERAL = 0.40
TEST_ONLY = 10  # one frame in so many is kept for the test set
MAX_LENGTH = 64

SLOT = re.compile(r"\{(?:@(?P<filler>\w+)|(?P<label>\w+)(?:/(?P<kind>\w+))?(?:=(?P<key>\w))?)\}")

Entity = tuple[int, int, str]  # first character, last character (inclusive), label


def main(folder: Path) -> None:
    known: dict[str, set[str]] = {}
    texts: set[str] = set()
    for split, size in SIZES.items():
        rng = Random(f"{SEED}-{split}")
        names = Names(rng, split, STEMS[split])
        lines = []
        counts: Counter[str] = Counter()
        surfaces: dict[str, set[str]] = {}
        while len(lines) < size:
            text, entities = write_sentence(pick_frame(split, rng), names, rng)
            if text in texts or len(text) > MAX_LENGTH or splits_a_word(text, entities):
                continue
            texts.add(text)
            lines.append(json.dumps(as_cluener(text, entities), ensure_ascii=False) + "\n")
            counts.update(label for _, _, label in entities)
            for start, end, label in entities:
                surfaces.setdefault(label, set()).add(text[start : end + 1])
        with (folder / f"{split}.json").open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(lines)
        known = known or surfaces
        report(split, lines, counts, surfaces, known)


def pick_frame(split: str, rng: Random) -> str:
    """A frame: of several labels, of one, or of none."""
    chance = rng.random()
    if chance < SHARE_NO_LABEL:
        frames = NO_LABEL
    elif chance < SHARE_NO_LABEL + SHARE_SEVERAL:
        frames = SEVERAL_LABELS
    else:
        frames = ONE_LABEL[rng.choice(list(ONE_LABEL))]
    if split != "test":
        frames = [frame for i, frame in enumerate(frames) if i % TEST_ONLY != TEST_ONLY - 1]
    return rng.choice(frames)


def write_sentence(frame: str, names: Names, rng: Random) -> tuple[str, list[Entity]]:
    """Fill a frame's slots; perhaps put a phrase before it or after it, and a mark at its end."""
    if rng.random() < 0.3 and not frame.startswith("{@time}"):
        frame = rng.choice(PREFIXES) + frame
    if rng.random() < 0.3:
        frame += rng.choice(TAILS)
    if rng.randrange(BARE_ENDS):
        frame += rng.choice(ENDS)
    text, entities, done = "", [], 0
    shared: dict[str, str] = {}
    frame = SLOT.sub(lambda slot: _filler(slot, rng), frame)
    for slot in SLOT.finditer(frame):
        text += frame[done : slot.start()]
        done = slot.end()
        name = names.draw(slot["label"], slot["kind"] or "")
        if slot["key"]:
            name = shared.setdefault(slot["key"], name)
        entities.append((len(text), len(text) + len(name) - 1, slot["label"]))
        text += name
    return text + frame[done:], entities


def as_cluener(text: str, entities: list[Entity]) -> dict:
    """The sentence as CLUENER has it: label, then surface, then [first, last] offsets."""
    label: dict[str, dict[str, list[list[int]]]] = {}
    for start, end, name in entities:
        surfaces = label.setdefault(name, {})
        surfaces.setdefault(text[start : end + 1], []).append([start, end])
    return {"text": text, "label": label}


def splits_a_word(text: str, entities: list[Entity]) -> bool:
    """Whether an entity begins or ends inside a run of Latin letters and digits."""
    edges = [start for start, _, _ in entities] + [end + 1 for _, end, _ in entities]
    return any(re.match("[A-Za-z0-9]{2}", text[max(edge - 1, 0) :]) for edge in edges if edge)


def report(
    split: str,
    lines: list[str],
    counts: Counter[str],
    surfaces: dict[str, set[str]],
    known: dict[str, set[str]],
) -> None:
    empty = sum(line.endswith('"label": {}}\n') for line in lines)
    print(f"{split}: {len(lines)} sentences, {empty} without a label, {counts.total()} entities")
    if surfaces is not known:
        for label in sorted(surfaces):
            new = len(surfaces[label] - known[label]) / len(surfaces[label])
            print(f"  {label:<13}{counts[label]:>4}  {new:>4.0%} of the names are not in train")


def _filler(slot: re.Match[str], rng: Random) -> str:
    return rng.choice(FILLERS[slot["filler"]]) if slot["filler"] else slot[0]


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
