"""How Docs are shared by several processes."""

from collections.abc import Sequence


def balanced_parts(lengths: Sequence[int], n_parts: int) -> list[list[int]]:
    """The numbers of the Docs in each part, ascending, so that the parts have about equally many
    tokens: the longest Doc that is left goes to the part that has the least (Graham 1969,
    https://doi.org/10.1137/0117039). The same lengths always give the same parts.

    lengths: (n_docs,), in tokens.

    Returns n_parts lists, of which the last are empty if there are fewer Docs.
    """
    parts: list[list[int]] = [[] for _ in range(n_parts)]
    sizes = [0] * n_parts
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        smallest = min(range(n_parts), key=lambda part: (sizes[part], len(parts[part]), part))
        parts[smallest].append(i)
        sizes[smallest] += lengths[i]
    return [sorted(part) for part in parts]
