"""All formats that are registered."""

from configparser import ConfigParser
from pathlib import Path

import pytest

from spacy_bertcrf.corpora.formats import all_formats, get_format
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.sources import Source

ROOT = Path(__file__).parents[3]


def test_every_format_is_registered_as_it_says():
    """Else `--format` would take a name that the help does not show; a stale installation, too."""
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = setup["options.entry_points"]["spacy_bertcrf_formats"].strip().splitlines()
    named = {line.split("=")[0].strip() for line in lines}
    assert named <= set(all_formats()), "install the package again: pip install -e ."
    assert all(name == format.name for name, format in all_formats().items())


@pytest.mark.parametrize("name", sorted(all_formats()))
@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"{", b"[", b"[]", b"{}", b"null", b"\xff\xfe", b"\0", b"a\tb", b"<p>"],
)
def test_no_file_stops_a_format_from_looking(name, data):
    """Else one format's error hides that another one fits."""
    source = Source(Path("f"), "latin-1", data=data)
    format = get_format(name)
    if format.binary or source.is_text:
        format.recognise(source, Options())
