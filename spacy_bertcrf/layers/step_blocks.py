"""Parts of a scan's step, so that what it holds of pairs of tags does not grow with the labels."""

from collections.abc import Iterator

# Numbers in the largest temporary: 8 MB in float64, and for ten labels no part is needed where
# a batch has fewer than 600 sequences.
MAX_PAIRS = 2**20


def step_blocks(n_sequences: int, n_tags: int, ways: int = 1) -> Iterator[tuple[slice, slice]]:
    """Slices of the sequences of a step and of the tags that it leads to, such that all moves to
    these tags, for these sequences, are at most MAX_PAIRS numbers (those to one tag are held in
    any case)."""
    width = max(1, min(n_tags, MAX_PAIRS // (n_tags * ways)))
    height = max(1, MAX_PAIRS // (n_tags * width * ways))
    for row in range(0, n_sequences, height):
        for tag in range(0, n_tags, width):
            yield slice(row, min(row + height, n_sequences)), slice(tag, min(tag + width, n_tags))
