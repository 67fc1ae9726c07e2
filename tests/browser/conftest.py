"""Real Chromium against a real portal; every visit is watched."""

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.serving import Portal

from .visitor import PATIENCE, Visitor

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]

Visit = Callable[..., Visitor]


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """
    The installed Chromium. It ends with this folder's tests: Playwright keeps an event loop running in
    the thread, and Django refuses its ORM beside one.
    """
    where = shutil.which("chromium") or shutil.which("chromium-browser")
    if where is None:
        missing = "Chromium is not installed: the browser tests did not run"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=where, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def portal_of_the_folder(chromium: Browser) -> Iterator[Portal]:
    portal = Portal("sqlite", processes=1)
    yield portal
    portal.stop()


@pytest.fixture
def portal(portal_of_the_folder: Portal) -> Portal:
    """The portal at its start."""
    portal = portal_of_the_folder
    portal.wait_for_messages()
    portal.reset(sessions=True)
    for file in (portal.var / "messages").glob("*.json"):
        file.unlink()
    return portal


@pytest.fixture
def visit(chromium: Browser, portal: Portal) -> Iterator[Visit]:
    """
    Opens a browser of its own for a visitor. After the test nothing may have been reported on any
    console, blocked by the content security policy, asked of another origin, or answered by a fault.
    """
    visitors: list[Visitor] = []

    def open_one(*, language: str = "en-GB", width: int = 1280, **options: object) -> Visitor:
        context = chromium.new_context(
            base_url=f"http://localhost:{portal.port}",
            locale=language,
            viewport={"width": width, "height": 800},
            **options,
        )
        context.set_default_timeout(PATIENCE)
        visitors.append(Visitor(context))
        return visitors[-1]

    yield open_one
    complaints = [line for visitor in visitors for line in visitor.complaints]
    for visitor in visitors:
        visitor.context.close()
    assert complaints == []
