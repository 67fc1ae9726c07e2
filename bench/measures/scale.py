"""
The same journeys with 1,000, 100,000 and 1,000,000 users around them, in turns, each crowd in a database of
its own. Only when asked by name: the largest takes minutes to fill.
"""

import secrets
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

import psycopg

from bench import crowd, people
from bench.browser import OverHttp
from bench.journeys import HOME, log_in, share
from bench.options import Options
from bench.people import Pair, Person
from bench.report import Row
from bench.server import Server, serve
from bench.stage import Stage

SIZES = (1_000, 100_000, 1_000_000)
MOST = 1.10  # of the cost among 1,000
ROUNDS = 25  # each one login, one wizard, and some looks at each list
LOOKS = 4


@dataclass(frozen=True)
class Place:
    """One crowd's database, served; and what was taken there, in milliseconds by journey."""

    size: int
    server: Server
    url: str
    officer: OverHttp
    lender: OverHttp
    taken: dict[str, list[float]] = field(default_factory=dict)

    def time(self, name: str, journey: Callable[[], object]) -> None:
        start = time.perf_counter()
        journey()
        self.taken.setdefault(name, []).append((time.perf_counter() - start) * 1000)


def run(where: Stage, options: Options) -> list[Row]:
    lender = people.lender("lender-of-scale", 10)
    visitors = people.holders("visitor-of-scale", ROUNDS)
    pairs = people.pairs("of-scale", ROUNDS)
    officer = people.officer("officer-of-scale")
    crowd.prototype()
    with ExitStack() as stack:
        places = []
        for size in SIZES:
            url = stack.enter_context(_clone(where.url))
            start = time.perf_counter()
            crowd.fill(url, size)
            print(f"{size:,} users filled in {time.perf_counter() - start:.0f} s", flush=True)
            environment = where.product | {"DATABASE_URL": url}
            server = stack.enter_context(
                serve("portal.asgi:application", environment, "/health/ready/")
            )
            browsers = OverHttp(server.port), OverHttp(server.port)
            for browser, person in zip(browsers, (officer, lender), strict=True):
                log_in(browser, person)
            places.append(Place(size, server, url, *browsers))
        for place in places:
            _visit(place, visitors[0], None)
            place.taken.clear()
        for number in range(1, ROUNDS):
            for place in places[number % 3 :] + places[: number % 3]:
                _visit(place, visitors[number], pairs[number])
        rows = [row for name in places[0].taken for row in _rows(name, places)]
        return [*rows, *map(_stored, places)]


def _visit(place: Place, visitor: Person, pair: Pair | None) -> None:
    browser = OverHttp(place.server.port, address=f"192.0.2.{secrets.randbelow(250) + 1}")
    place.time("login", lambda: log_in(browser, visitor))
    place.lender.rest()
    for _look in range(LOOKS):
        place.time("device list, 10 devices", lambda: place.lender.get(HOME))
    place.officer.rest()
    for _look in range(LOOKS):
        place.time("compliance queue", lambda: _queue(place.officer))
    if pair is not None:
        asks = OverHttp(place.server.port)
        log_in(asks, pair.requester)
        place.time("share wizard", lambda: share(asks, pair))


def _queue(browser: OverHttp) -> None:
    assert browser.get("/admin/compliance/pendingshare/").status == 200


def _rows(name: str, places: list[Place]) -> Iterator[Row]:
    smallest = statistics.median(places[0].taken[name])
    for place in places:
        median = statistics.median(place.taken[name])
        ratio = median / smallest
        is_judged = place.size == SIZES[-1]
        yield Row(
            f"{name}, {place.size:,} users",
            f"{median:.1f} ms (best {min(place.taken[name]):.1f})",
            ratio=ratio,
            target=f"<= {MOST:.2f} of {SIZES[0]:,}" if is_judged else "",
            met=ratio <= MOST if is_judged else None,
        )


def _stored(place: Place) -> Row:
    with psycopg.connect(place.url) as connection:
        found = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    assert found
    return Row(f"database, {place.size:,} users", f"{found[0] / 2**20:,.0f} MB")


@contextmanager
def _clone(url: str) -> Iterator[str]:
    """A copy of the database at `url`, to which nobody is connected; dropped afterwards."""
    parts = urlsplit(url)
    source, copy = parts.path[1:], f"{parts.path[1:]}_{secrets.token_hex(3)}"
    maintenance = urlunsplit(parts._replace(path="/postgres"))
    with psycopg.connect(maintenance, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {copy} TEMPLATE {source}")  # type: ignore[arg-type]
    try:
        yield urlunsplit(parts._replace(path=f"/{copy}"))
    finally:
        with psycopg.connect(maintenance, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {copy} WITH (FORCE)")  # type: ignore[arg-type]
