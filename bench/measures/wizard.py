"""The whole share wizard of a logged-in user, from the device list's button to the status."""

import statistics
import time

from bench import people
from bench.browser import InProcess, OverHttp
from bench.journeys import log_in, share
from bench.options import Options
from bench.report import Row, at_most
from bench.server import serve
from bench.stage import Stage
from tests.counting import counting

MOST_SQL, MOST_WRITES = 44, 18
RUNS = 30


def run(where: Stage, options: Options) -> list[Row]:
    requests, sql, writes = count("counted")
    return [
        Row("share wizard: requests", str(requests)),
        at_most("  SQL", sql, MOST_SQL),
        at_most("  writes", writes, MOST_WRITES),
        Row("  milliseconds, cheap hasher", spelt(milliseconds(where, "cheap", cheap=True))),
        Row("  milliseconds, real hasher", spelt(milliseconds(where, "real", cheap=False))),
    ]


def count(prefix: str) -> tuple[int, int, int]:
    pair = people.pairs(prefix, 1)[0]
    browser = InProcess()
    log_in(browser, pair.requester)
    before = len(browser.seen)
    with counting() as counted:
        share(browser, pair)
    return len(browser.seen) - before, counted.sql, counted.writes


def milliseconds(where: Stage, prefix: str, *, cheap: bool, runs: int = RUNS) -> list[float]:
    """Of one wizard after another, over HTTP, nobody else on the server."""
    pairs = people.pairs(prefix, runs, cheap=cheap)
    environment = where.product | {"CHEAP_HASHER": "1" if cheap else "0"}
    taken = []
    with serve("portal.asgi:application", environment, "/health/ready/") as server:
        for pair in pairs:
            browser = OverHttp(server.port)
            log_in(browser, pair.requester)
            start = time.perf_counter()
            share(browser, pair)
            taken.append((time.perf_counter() - start) * 1000)
    return taken


def spelt(taken: list[float]) -> str:
    return f"{statistics.median(taken):.0f} ms (best {min(taken):.0f})"
