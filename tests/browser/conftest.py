"""Headless Chromium from Debian, with nothing of its own to say to the network."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from tests.support.service import RunningService, running_service

WINDOW = "1400,1600"


def program(*names: str, package: str) -> str:
    """Return the path of the first of these programs that is there; fail, naming the package."""
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    pytest.fail(f"{names[0]} is missing; install Debian's package {package} (make test as root)")


@pytest.fixture(scope="module")
def service(worker_name: str) -> Iterator[RunningService]:
    """The small world, served on loopback."""
    with running_service(f"{worker_name}_browser") as running:
        yield running


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chrome]:
    """A browser with an empty profile that notes every request it makes."""
    options = ChromeOptions()
    options.binary_location = program("chromium", package="chromium")
    for argument in (
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--disable-dev-shm-usage", f"--user-data-dir={tmp_path / 'profile'}",
        f"--window-size={WINDOW}",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = Chrome(
        options=options,
        service=ChromeService(program("chromedriver", package="chromium-driver")),
    )
    yield driver
    driver.quit()
