"""A page that waits, in real Chromium under our own policy: by a stream, without streams, and when it is over."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from playwright.sync_api import Browser, Page, Route

from portal.middleware import CONTENT_SECURITY_POLICY
from tests.serving import ROOT, Portal
from tests.waiting import secret_of, token

pytestmark = pytest.mark.browser

WATCHING = str(Path(__file__).parent.parent / "portal" / "live" / "watching")
PAGE = """<!DOCTYPE html><html lang="en"><title>Waits</title>
<form method="post" action="/try/done/" data-live="/events/{token}" data-live-seconds="{seconds}">
<button>Continue</button></form><script type="module" src="/try/live.js"></script></html>"""

Wait = Callable[..., Page]


@pytest.fixture(scope="module")
def watching(chromium: Browser) -> Iterator[Portal]:
    portal = Portal("sqlite", processes=2, PYTHONPATH=WATCHING)
    portal.sql("CREATE TABLE try_row (id integer PRIMARY KEY, done integer NOT NULL)")
    yield portal
    portal.stop()


@pytest.fixture
def wait(watching: Portal, chromium: Browser) -> Iterator[Wait]:
    """A page that waits for a row; its own files are laid over the portal's addresses."""
    contexts = []

    def on(number: int, *, seconds: int = 60) -> Page:
        context = chromium.new_context(base_url=f"http://localhost:{watching.port}")
        contexts.append(context)
        html = PAGE.format(token=token(f"try:{number}", secret_of(watching.var)), seconds=seconds)

        def serve(route: Route) -> None:
            if route.request.url.endswith("live.js"):
                route.fulfill(path=ROOT / "static" / "js" / "live.js")
            elif route.request.method == "POST":
                route.fulfill(body="<title>Done</title>", content_type="text/html")
            else:
                headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY}
                route.fulfill(body=html, content_type="text/html", headers=headers)

        context.route("**/try/**", serve)
        page = context.new_page()
        page.complaints = []  # type: ignore[attr-defined]
        page.on("console", lambda message: page.complaints.append(message.text))  # type: ignore[attr-defined]
        page.posts = []  # type: ignore[attr-defined]
        page.on("request", lambda r: page.posts.append(r.url) if r.method == "POST" else None)  # type: ignore[attr-defined]
        return page

    yield on
    for context in contexts:
        context.close()


def change(portal: Portal, number: int, *, tell: bool = True) -> None:
    portal.sql(f"INSERT INTO try_row VALUES ({number}, 1)")
    if tell:
        with redis.Redis(unix_socket_path=str(portal.var / "valkey.sock")) as broker:
            broker.publish(f"live:try:{number}", "")


def test_a_page_goes_on_by_itself_as_soon_as_it_is_told(watching: Portal, wait: Wait):
    page = wait(1)
    with page.expect_response("**/events/*") as stream:
        page.goto("/try/")
    assert stream.value.headers["content-type"] == "text/event-stream"
    page.wait_for_timeout(1000)
    assert page.title() == "Waits"
    start = time.monotonic()
    change(watching, 1)
    page.wait_for_url("**/try/done/", timeout=2500)  # before it would ask
    took = time.monotonic() - start
    print(f"told and gone on in {took * 1000:.0f} ms")  # noqa: T201
    assert page.title() == "Done"
    assert len(page.posts) == 1
    assert page.complaints == []


def test_a_page_goes_on_where_streams_do_not_work(watching: Portal, wait: Wait):
    page = wait(2)
    page.route(
        "**/events/*",
        lambda route: (
            route.fulfill(status=502) if "?" not in route.request.url else route.continue_()
        ),
    )
    page.goto("/try/")
    change(watching, 2, tell=False)
    page.wait_for_url("**/try/done/", timeout=8000)
    assert len(page.posts) == 1


def test_a_page_whose_time_is_over_stays_as_it_is(watching: Portal, wait: Wait):
    page = wait(3, seconds=2)
    page.goto("/try/")
    page.wait_for_timeout(4000)
    change(watching, 3)
    page.wait_for_timeout(2000)
    assert page.title() == "Waits"
    assert page.posts == []
    page.get_by_role("button", name="Continue").click()
    assert page.title() == "Done"
