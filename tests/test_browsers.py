"""The tests in a browser, in a process of their own."""

import shutil
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import pytest

FOLDER = Path(__file__).parent
FILES = sorted(str(file.relative_to(FOLDER)) for file in FOLDER.rglob("*_in_browser.py"))
BROWSERS = ("chromium", "google-chrome", "chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not any(map(shutil.which, BROWSERS)), reason="no Chromium is installed"),
    pytest.mark.skipif(find_spec("playwright") is None, reason="playwright is not installed"),
]


@pytest.fixture(scope="module")
def run(start_python, tmp_path_factory):
    """What the process printed, and its tests."""
    folder = tmp_path_factory.mktemp("browsers")
    files = [FOLDER / file for file in FILES]
    options = ["-n", "0", "--junit-xml", folder / "tests.xml", "--basetemp", folder / "temporary"]
    process = start_python("-m", "pytest", *options, *files, printed=folder / "printed.txt")
    try:
        said, _ = process.communicate(timeout=600)
    finally:
        process.kill()
    cases = ElementTree.parse(folder / "tests.xml").iter("testcase")
    return said, list(cases)


@pytest.mark.parametrize("file", FILES)
def test_pages_do_what_they_say_in_a_browser(run, file):
    said, cases = run
    module = ".".join(Path(file).with_suffix("").parts)
    outcomes = [
        [outcome.tag for outcome in case]
        for case in cases
        if case.get("classname", "").endswith(module)
    ]
    assert not [found for found in outcomes if {*found} & {"failure", "error"}], said
    assert [] in outcomes, "none has passed"
