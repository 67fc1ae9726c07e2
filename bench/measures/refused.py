"""
What a refused login costs the web process, with the real hasher: throttled and malformed ones should be cheap,
and an unknown username's should take as long as a wrong password's.
"""

import itertools
import statistics
import time
from collections.abc import Callable
from urllib.parse import urlencode

from bench import people
from bench.browser import OverHttp, Page
from bench.options import Options
from bench.report import Row, at_most
from bench.server import Server, serve
from bench.stage import Stage

MOST_MILLISECONDS = 5
MOST_APART = 0.05
WARM = 40
REQUESTS = 400  # of one kind: a tick of the processes' clock is 10 ms
PAIRS = 200
WRONG = "not-the-password-of-anybody"
FORM = "application/x-www-form-urlencoded"
NO_LIMITS = "password_of_name=1000000,password_from_address=1000000"
REFUSED = 'data-code="invalid_credentials"'


def run(where: Stage, options: Options) -> list[Row]:
    real = where.product | {"CHEAP_HASHER": "0"}
    log = where.folder / "refused.log"  # every wrong token is a line
    with serve("portal.asgi:application", real, "/health/ready/", log=log) as server:
        rows = _cheap_ones(server)
    with serve("portal.asgi:application", real | {"LIMITS": NO_LIMITS}, "/health/ready/") as server:
        rows.append(_alike(server))
    return rows


# --- Throttled and malformed ---------------------------------------------------------------------------


def _cheap_ones(server: Server) -> list[Row]:
    name = people.holders("throttled", 1, cheap=False)[0].username
    browser = OverHttp(server.port)
    browser.get("/login/")
    for _ in range(10):  # the limit of the name
        assert REFUSED in _try(browser, name).text
    token = browser.cookies["csrf"]
    both = {"username": name, "password": WRONG}
    with_token = {"csrfmiddlewaretoken": token}
    kinds: dict[str, tuple[Callable[[], Page], int, str]] = {
        "throttled": (lambda: _try(browser, name), 200, REFUSED),
        "no body": (lambda: _send(browser, {}, {"X-CSRFToken": token}), 200, 'name="username"'),
        "no field": (lambda: _send(browser, with_token), 200, 'id="error-summary-title"'),
        "username of 10 KB": (
            lambda: _send(browser, with_token | both | {"username": "x" * 10_240}),
            200,
            'id="error-summary-title"',
        ),
        "wrong form token": (
            lambda: _send(browser, both | {"csrfmiddlewaretoken": "x" * len(token)}),
            403,
            "",
        ),
    }
    return [
        at_most(f"refused login, {kind}: CPU", _cpu(server, *work), MOST_MILLISECONDS, " ms", 2)
        for kind, work in kinds.items()
    ]


def _cpu(server: Server, ask: Callable[[], Page], status: int, words: str) -> float:
    """Milliseconds of the web processes for one request, which is answered as expected."""
    for _ in range(WARM):
        page = ask()
        assert page.status == status, page
        assert words in page.text, page
    before = server.cpu_seconds()
    for _ in range(REQUESTS):
        assert ask().status == status
    return 1000 * (server.cpu_seconds() - before) / REQUESTS


def _try(browser: OverHttp, username: str) -> Page:
    return browser.post("/login/", {"username": username, "password": WRONG})


def _send(browser: OverHttp, data: dict[str, str], headers: dict[str, str] | None = None) -> Page:
    return browser.ask(
        "POST", "/login/", urlencode(data).encode(), {"Content-Type": FORM} | (headers or {})
    )


# --- Known and unknown ---------------------------------------------------------------------------------


def _alike(server: Server) -> Row:
    """Medians of fresh names in turn, as somebody outside would time them."""
    known = [person.username for person in people.holders("known", PAIRS + WARM, cheap=False)]
    unknown = [f"nobody-{number}" for number in range(len(known))]
    browser = OverHttp(server.port)
    browser.get("/login/")
    taken: dict[str, list[float]] = {"known": [], "unknown": []}
    turns = itertools.cycle((("known", "unknown"), ("unknown", "known")))
    for number, turn in zip(range(len(known)), turns, strict=False):
        names = {"known": known[number], "unknown": unknown[number]}
        for kind in turn:
            start = time.perf_counter()
            page = _try(browser, names[kind])
            if number >= WARM:
                taken[kind].append((time.perf_counter() - start) * 1000)
            assert REFUSED in page.text, page
    ours, theirs = (statistics.median(taken[kind]) for kind in ("unknown", "known"))
    ratio = ours / theirs
    return Row(
        "  unknown username beside a wrong password",
        f"{ours:.1f} ms",
        f"{theirs:.1f} ms",
        ratio,
        f"1.00 ± {MOST_APART:.2f}",
        abs(ratio - 1) <= MOST_APART,
    )
