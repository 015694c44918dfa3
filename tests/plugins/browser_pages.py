"""A browser, and pages in it that may neither complain nor load anything from elsewhere."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

BROWSERS = ("chromium", "google-chrome", "chrome")
ELSEWHERE = "another-machine.test"  # this one, but for the browser, which trusts plain HTTP less


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A Chromium; where there is none, its tests are skipped."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("no Chromium is installed")
    with sync_api.sync_playwright() as playwright:
        args = ["--no-sandbox", f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1"]
        browser = playwright.chromium.launch(executable_path=path, args=args)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens an address in a window of its own, with settings of Playwright. What comes from an
    address that begins otherwise is a fault, and so is all that the console says, unless it is
    expected."""
    pages, faults, expected = [], [], []

    def open_page(address: str, own: str, expect: Sequence[str] = (), **settings: Any) -> Any:
        page = browser.new_page(**settings)
        page.on("console", lambda message: faults.append(message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: request.url.startswith((own, "data:", "blob:"))
                or faults.append(request.url))  # fmt: skip
        pages.append(page)
        expected.extend(expect)
        page.goto(address)
        return page

    yield open_page
    for page in pages:
        page.close()
    told = [fault for fault in faults if not fault.startswith(tuple(expected))]
    assert told == [], "the console says something, or the page loads from elsewhere"
