"""The device list beside a bare Django page of the same bytes, with 1, 10 and 50 devices and shares."""

from bench import people
from bench.browser import InProcess, OverHttp
from bench.floor import source
from bench.floor.order import order
from bench.journeys import HOME, log_in
from bench.load import rate
from bench.options import Options
from bench.report import Row, at_least, at_most, cpu_row
from bench.server import Server, serve
from bench.stage import Stage
from tests.counting import counting

SIZES = (1, 10, 50)
LEAST = 0.80
MOST_SQL = 4


def run(where: Stage, options: Options) -> list[Row]:
    lenders = {size: people.lender(f"lender-{size}", size) for size in SIZES}
    source.write_templates(where, lenders[1])
    order(where, do="migrate")
    rows = []
    with (
        serve("portal.asgi:application", where.product, "/health/ready/") as ours,
        serve("bench.floor.asgi:application", where.floor, "/ready/") as floor,
    ):
        for size, lender in lenders.items():
            rows += _compare(where, options, ours, floor, size, lender)
    return rows


def _compare(
    where: Stage,
    options: Options,
    ours: Server,
    floor: Server,
    size: int,
    lender: people.Person,
) -> list[Row]:
    browser = OverHttp(ours.port)
    log_in(browser, lender)
    words = source.rows_of(lender)
    cookie = order(where, do="lender", name=lender.username, rows=words)
    our_headers = {"Cookie": browser.cookie_header}
    floor_headers = {"Cookie": f"sessionid={cookie}"}
    in_floor = OverHttp(floor.port, cookies={"sessionid": cookie})
    # One long username more or less is no difference of content; a page that lacks a part is.
    sizes = [len(browser.get(HOME).text), len(in_floor.get("/devices/").text)]
    assert abs(sizes[0] - sizes[1]) < 0.05 * sizes[0], f"the pages differ in size: {sizes}"
    rates: dict[str, list[float]] = {"ours": [], "floor": [], "gzip": []}
    cpu = {"ours": 0.0, "floor": 0.0}
    for server, path, headers in ((ours, HOME, our_headers), (floor, "/devices/", floor_headers)):
        rate(server, path, headers, 1)  # warm
    for _round in range(options.rounds):
        for which, server, path, headers in (
            ("ours", ours, HOME, our_headers),
            ("floor", floor, "/devices/", floor_headers),
        ):
            before = server.cpu_seconds()
            rates[which].append(rate(server, path, headers, options.seconds))
            used = server.cpu_seconds() - before
            cpu[which] += 1000 * used / rates[which][-1] / options.seconds / options.rounds
        if size == 10:
            zipped = our_headers | {"Accept-Encoding": "gzip"}
            rates["gzip"].append(rate(ours, HOME, zipped, options.seconds))
    name = f"device list, {size} device{'s' * (size > 1)} ({sizes[0]} and {sizes[1]} bytes)"
    rows = [at_least(name, rates["ours"], rates["floor"], LEAST)]
    if rates["gzip"]:
        rows.append(at_least("  the same, ours gzipped", rates["gzip"], rates["floor"], None))
    rows.append(cpu_row(cpu["ours"], cpu["floor"]))
    beside = order(where, do="count list", name=lender.username)
    sql, writes = count(lender)
    rows.append(at_most(f"  SQL (floor {beside['sql']})", sql, MOST_SQL))
    rows.append(at_most("  writes", writes, 0))
    return rows


def count(lender: people.Person) -> tuple[int, int]:
    browser = InProcess()
    log_in(browser, lender)
    browser.get(HOME)
    with counting() as counted:
        browser.get(HOME)
    return counted.sql, counted.writes
