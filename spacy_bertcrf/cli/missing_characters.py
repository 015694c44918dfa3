"""The warning of the commands that draw figures, where a font lacks characters."""

from wasabi import msg


def warn_of_missing(characters: str) -> None:
    """Say which characters of a figure no installed font has, if there are any."""
    if characters:
        msg.warn(
            f"No installed font has the characters {characters}: they are drawn as boxes",
            "Install one, such as Noto Sans CJK (on Debian and Ubuntu: fonts-noto-cjk), or write "
            "an .svg, whose text is drawn with the fonts of its reader.",
        )
