"""The tests in a browser, each file in a process of its own."""

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

FILES = (
    "evaluation/report/test_in_browser.py",
    "evaluation/report/test_review_in_browser.py",
    "serving/test_page.py",
    "serving/test_teaching_page.py",
)
BROWSERS = ("chromium", "google-chrome", "chrome")


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, BROWSERS)), reason="no Chromium is installed")
@pytest.mark.skipif(find_spec("playwright") is None, reason="playwright is not installed")
@pytest.mark.parametrize("file", FILES)
def test_pages_do_what_they_say_in_a_browser(file):
    command = [sys.executable, "-m", "pytest", "-n", "0", str(Path(__file__).parent / file)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert result.returncode == 0, result.stdout
    assert "passed" in result.stdout
