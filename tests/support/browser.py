# SPDX-License-Identifier: GPL-2.0-or-later
"""A browser without a window, and what it says about a page."""

from collections.abc import Iterator
import contextlib
from pathlib import Path
import shutil
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

__all__ = ("PATIENCE", "Page", "browser")

#: Seconds until something is taken for broken; nothing is measured by it.
PATIENCE = 120

# The policy is in each of its complaints.
_SHOWN, _SHOWN_LINES = 300, 5

#: Notes what a content security policy keeps from happening, from the page's first moment on.
_WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""


class Page:
    """A page in the browser."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, path: Path, part: str = "") -> None:
        """Open a report and wait until it is ready."""
        self._log()
        # Of two addresses that differ in their part only, the second is no new page.
        self.driver.get("about:blank")
        self.driver.get(f"{path.as_uri()}{part}")
        self.wait("document.documentElement.dataset.ready === 'yes'")

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script that returns something."""
        return self.driver.execute_script(f"return {script}", *arguments)

    def wait(self, condition: str) -> Any:
        """Wait until an expression is true; gives its value."""
        return WebDriverWait(self.driver, PATIENCE, poll_frequency=0.05).until(
            lambda _: self.run(condition), f"{condition}; the console says {self.complaints()}"
        )

    def painted(self) -> None:
        """Wait until what has changed is painted."""
        before = self.run("Number(document.documentElement.dataset.painted)")
        self.run("lkst.app.timeline.draw()")
        self.wait(f"Number(document.documentElement.dataset.painted) > {before}")

    def complaints(self) -> list[str]:
        """Tell what the console and the content security policy complain of."""
        told = self._log() + list(self.run("window.violations"))
        return [line[-_SHOWN:] for line in told[:_SHOWN_LINES]]

    def _log(self) -> list[str]:
        """Give what the console says, each line once."""
        return [entry["message"] for entry in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def browser() -> Iterator[Page]:
    """Start Debian's Chromium."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "/usr/bin/chromium"
    for argument in (
        "--headless=new",
        "--no-sandbox",  # root in a container cannot have one
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--window-size=1400,1000",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    path = shutil.which("chromedriver")
    if path is None:
        pytest.fail("there is no chromedriver: ./dev test installs it")
    driver = webdriver.Chrome(options=options, service=Service(path))
    try:
        driver.set_page_load_timeout(PATIENCE)
        driver.set_script_timeout(PATIENCE)
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _WATCH})
        yield Page(driver)
    finally:
        driver.quit()
