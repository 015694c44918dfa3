"""Numbers in bands, such as lengths of entities."""

from collections.abc import Sequence
from itertools import pairwise


class Bands:
    """starts: the lowest number of each band but the first, which begins with 1 (or 0).

    Bands(0, 1, 2, 5) has the bands 0, 1, 2–4 and "5 and more".
    """

    def __init__(self, *starts: int):
        self.starts = starts
        self.names: Sequence[str] = [
            str(start) if end == start + 1 else f"{start}–{end - 1}"
            for start, end in pairwise(starts)
        ] + [f"{starts[-1]} and more"]

    def name(self, number: int) -> str:
        """The band that a number is in; below the first, the first."""
        at = sum(start <= number for start in self.starts)
        return self.names[max(at - 1, 0)]
