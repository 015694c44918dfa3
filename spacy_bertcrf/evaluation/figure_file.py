"""Figures as image files."""

import io
import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".svg", ".png", ".pdf")

# Tried before all others, for their shapes are those of mainland China.
CHINESE_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "SimHei",
)

# It comes with matplotlib and has a box for every character.
LAST_RESORT = "Last Resort"


def check_plot(path: Path) -> None:
    """Raise ValueError if a plot cannot be written there, and ImportError without matplotlib."""
    if path.suffix.lower() not in SUFFIXES:
        expected = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
        raise ValueError(f"A plot is written as {expected}, not as {path}.")
    check_place(path)
    import_matplotlib()


def check_place(path: Path) -> None:
    """Raise ValueError if no file can be written there: before the work that it is to hold."""
    if path.is_dir() or not path.parent.is_dir():
        raise ValueError(f"{path} cannot be written: name a file in a folder that exists.")


def image(figure: "Figure", format: str) -> bytes:
    """The content of the image file of a figure: the same figure gives the same file.

    format: "svg", its text as text, "png" or "pdf".
    """
    import matplotlib

    content = io.BytesIO()
    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with (
        matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "spacy-bertcrf"}),
        warnings.catch_warnings(),
    ):
        # In an SVG whose text is text, fonts are the viewer's; for others, see `fonts_for`.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(content, format=format, dpi=150, metadata=dates.get(format))
    return content.getvalue()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; one that is there is replaced at the end.

    Raises OSError if it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def fonts_for(texts: Iterable[str]) -> tuple[list[str], str]:
    """The fonts to draw texts with: matplotlib's own and, if that lacks some of their characters,
    an installed one that has them all.

    Returns the names of the fonts, and the characters that none has.
    """
    from matplotlib.font_manager import FontProperties, findfont, findSystemFonts, fontManager

    default = findfont(FontProperties())
    characters = {c for text in texts for c in text if not c.isspace()}
    missing = _without_glyph(default, characters)
    if not missing:
        return ["sans-serif"], ""
    # matplotlib's list is that of its first start: a font that is installed since is not on it.
    known = {os.path.abspath(entry.fname) for entry in fontManager.ttflist}
    for path in findSystemFonts():
        if os.path.abspath(path) not in known:
            _add_font(path)
    for entry in sorted(fontManager.ttflist, key=_preference):
        if LAST_RESORT not in entry.name and not _without_glyph(entry.fname, missing):
            return ["sans-serif", entry.name], ""
    return ["sans-serif"], "".join(sorted(missing))


def import_matplotlib() -> None:
    """Raise ImportError, with the extra to install, if there is no matplotlib."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as err:
        raise ImportError(
            "Plots are drawn by matplotlib. Install it: pip install 'spacy-bertcrf[plot]'"
        ) from err


def _add_font(path: str) -> None:
    from matplotlib.font_manager import fontManager

    try:
        fontManager.addfont(path)
    except (OSError, RuntimeError, ValueError):
        return  # fonts that matplotlib cannot draw with, such as those of coloured pictures


def _without_glyph(path: str, characters: Iterable[str]) -> set[str]:
    from matplotlib.font_manager import get_font

    font = get_font(path)
    return {c for c in characters if not font.get_char_index(ord(c))}


def _preference(entry: object) -> tuple[int, int, bool, str]:
    name, weight, style = (getattr(entry, field) for field in ("name", "weight", "style"))
    rank = CHINESE_FONTS.index(name) if name in CHINESE_FONTS else len(CHINESE_FONTS)
    distance = abs(weight - 400) if isinstance(weight, int) else 0
    return rank, distance, style != "normal", name
