"""
Complete logins with password and challenge beside a bare two-step login in Django: password page, then a
code page checked against a stored value; the same bytes, sessions and hashers.
"""

import itertools
from collections.abc import Iterator

from bench import people
from bench.browser import InProcess, OverHttp
from bench.floor import source
from bench.floor.order import CODE, order
from bench.journeys import log_in
from bench.options import Options
from bench.parallel import at_once
from bench.people import PASSWORD, Person
from bench.report import Row, at_least, at_most, cpu_row
from bench.server import Server, serve
from bench.stage import Stage
from tests.counting import counting

CLIENTS = 4
USERS_OF_A_CLIENT = 40  # a user may draw 40 challenges an hour
LEAST = {"cheap": 0.72, "real": 0.94}  # of the floor, by hasher
MOST_SQL, MOST_WRITES, MOST_REQUESTS = 26, 14, 5


def run(where: Stage, options: Options) -> list[Row]:
    source.write_templates(where, people.lender("template", 1))
    order(where, do="migrate")
    rows = [row for cheap in (True, False) for row in _compare(where, options, cheap=cheap)]
    return [*rows, *_counted(where)]


def _compare(where: Stage, options: Options, *, cheap: bool) -> list[Row]:
    kind = "cheap" if cheap else "real"
    hasher = {"CHEAP_HASHER": "1" if cheap else "0"}
    crowd = people.holders(f"crowd-{kind}", CLIENTS * USERS_OF_A_CLIENT, cheap=cheap)
    floor_crowd = [Person(f"crowd-{kind}-{number}") for number in range(len(crowd))]
    apart = Stage(where.folder, where.product, where.floor | hasher, where.url)
    order(apart, do="holders", prefix=f"crowd-{kind}", count=len(crowd))
    rates: dict[str, list[float]] = {"ours": [], "floor": []}
    cpu: dict[str, float] = {}
    with (
        serve("portal.asgi:application", where.product | hasher, "/health/ready/") as ours,
        serve("bench.floor.asgi:application", apart.floor, "/ready/") as floor,
    ):
        for _round in range(options.rounds):
            for name, server, whom, enter in (
                ("ours", ours, crowd, _enter),
                ("floor", floor, floor_crowd, _enter_floor),
            ):
                before = server.cpu_seconds()
                reached = at_once(enter, _orders(server, whom), options.seconds)
                used = server.cpu_seconds() - before
                rates[name].append(reached)
                cpu[name] = 1000 * used / (reached * options.seconds)
    row = at_least(f"complete logins, {kind} hasher", rates["ours"], rates["floor"], LEAST[kind])
    return [row, cpu_row(cpu["ours"], cpu["floor"])]


Order = tuple[int, Iterator[tuple[str, Person]]]


def _orders(server: Server, crowd: list[Person]) -> list[Order]:
    """Each client has users and addresses of his own."""
    shares = [crowd[number::CLIENTS] for number in range(CLIENTS)]
    return [
        (server.port, itertools.cycle([(f"192.0.2.{1 + n}", person) for person in share]))
        for n, share in enumerate(shares)
    ]


def _enter(order: Order) -> int:
    port, people_of_client = order
    address, person = next(people_of_client)
    log_in(OverHttp(port, address=address), person)
    return 1


def _enter_floor(order: Order) -> int:
    port, people_of_client = order
    address, person = next(people_of_client)
    browser = OverHttp(port, address=address)
    browser.get("/login/")
    browser.post("/login/", {"username": person.username, "password": PASSWORD})
    browser.get("/code/")
    assert browser.post("/code/", {"response": CODE}).location == "/"
    assert browser.get("/").status == 200
    return 1


def _counted(where: Stage) -> list[Row]:
    requests, sql, writes = count("counted-login")
    floor = order(where, do="count login", name="crowd-cheap-0")
    return [
        at_most("  requests (floor 5)", requests, MOST_REQUESTS),
        at_most(f"  SQL (floor {floor['sql']})", sql, MOST_SQL),
        at_most(f"  writes (floor {floor['writes']})", writes, MOST_WRITES),
    ]


def count(prefix: str) -> tuple[int, int, int]:
    """Requests, SQL and writes of one login, in this process."""
    person = people.holders(prefix, 1)[0]
    log_in(InProcess(), person)  # what a process does once is not a login's cost
    browser = InProcess()
    with counting() as counted:
        log_in(browser, person)
    return len(browser.seen), counted.sql, counted.writes
