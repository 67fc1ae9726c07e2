"""
Complete logins with password and second factor beside those of packages made for it, each in its own
environment (bench/peers), all with the cheap hasher. A user logs in once: no TOTP code is good twice.
"""

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import mean
from typing import Any

from bench import people
from bench.browser import Browser, OverHttp
from bench.floor import source
from bench.journeys import log_in
from bench.measures import login
from bench.options import Options
from bench.parallel import at_once
from bench.peers.catalog import PEERS, Peer
from bench.peers.environment import Installed, NotInstalled, install
from bench.report import Row, at_least, cpu_row
from bench.server import Server, serve
from bench.stage import Stage
from tests.postgresql import database

CLIENTS = 4
LEAST = 1.4
WARM_SECONDS = 1
LOGINS_A_SECOND = 50  # of one client: more than any reaches, so that no user comes twice
LogIn = Callable[[Browser, Any], object]


@dataclass(frozen=True)
class Order:
    port: int
    address: str
    log_in: LogIn
    crowd: Iterator[Any]


@dataclass
class Side:
    """One of those that take turns. Its crowd is used up, from the end."""

    server: Server
    crowd: list[Any]
    log_in: LogIn
    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)  # milliseconds of the web processes for a login

    def measure(self, seconds: float) -> None:
        before = self.server.cpu_seconds()
        reached = at_once(_enter, self._orders(seconds), seconds)
        used = self.server.cpu_seconds() - before
        self.rates.append(reached)
        self.cpu.append(1000 * used / (reached * seconds))

    def forget(self) -> None:
        self.rates.clear()
        self.cpu.clear()

    def _orders(self, seconds: float) -> list[Order]:
        """Each client has users and an address of his own."""
        shares = [[self.crowd.pop() for _ in range(_most(seconds))] for _ in range(CLIENTS)]
        return [
            Order(self.server.port, f"192.0.2.{1 + n}", self.log_in, iter(share))
            for n, share in enumerate(shares)
        ]


def _enter(order: Order) -> int:
    order.log_in(OverHttp(order.port, address=order.address), next(order.crowd))
    return 1


def _most(seconds: float) -> int:
    """How many users one client needs."""
    return math.ceil(seconds * LOGINS_A_SECOND)


def run(where: Stage, options: Options) -> list[Row]:
    source.write_templates(where, people.lender("template-of-peers", 1))
    size = CLIENTS * (_most(WARM_SECONDS) + options.rounds * _most(options.seconds))
    rows: list[Row] = []
    theirs: list[tuple[Installed, Side]] = []
    with ExitStack() as stack:
        for peer in PEERS:
            try:
                there = install(peer, stack.enter_context(database()), str(where.folder / "floor"))
            except NotInstalled as reason:
                rows.append(_absent(peer, reason))
            else:
                theirs.append((there, _side(there, size, stack)))
        if not theirs:
            return rows
        server = serve("portal.asgi:application", where.product, "/health/ready/")
        ours = Side(stack.enter_context(server), people.holders("beside-peers", size), log_in)
        _take_turns([ours, *(side for _, side in theirs)], options)
        for there, side in theirs:
            rows += _compare(ours, there, side)
    return rows


def _absent(peer: Peer, reason: NotInstalled) -> Row:
    print(f"peers: {peer.distribution} could not be installed: {reason}", file=sys.stderr)
    return Row(f"{peer.distribution}: SKIPPED, could not be installed", "")


def _side(there: Installed, size: int, stack: ExitStack) -> Side:
    there.order(do="migrate")
    crowd = [f"crowd-{number}" for number in range(size)]
    there.order(do="holders", prefix="crowd", count=size)
    server = serve(
        "bench.peers.asgi:application", there.environment, "/ready/", python=there.python
    )
    return Side(stack.enter_context(server), crowd, there.peer.log_in)


def _take_turns(sides: list[Side], options: Options) -> None:
    for side in sides:
        side.measure(WARM_SECONDS)
        side.forget()
    for _round in range(options.rounds):
        for side in sides:
            side.measure(options.seconds)


def _compare(ours: Side, there: Installed, side: Side) -> list[Row]:
    name = there.peer.distribution
    version = there.order(do="version", distribution=name)
    there.order(do="holders", prefix="counted", count=2)
    theirs = there.order(do="count login", warm="counted-0", name="counted-1")
    requests, sql, writes = login.count(f"counted-beside-{there.peer.name}")
    return [
        at_least(f"complete logins beside {name} {version}", ours.rates, side.rates, LEAST),
        cpu_row(mean(ours.cpu), mean(side.cpu)),
        Row("  requests", str(requests), str(theirs["requests"])),
        Row("  SQL", str(sql), str(theirs["sql"])),
        Row("  writes", str(writes), str(theirs["writes"])),
    ]
