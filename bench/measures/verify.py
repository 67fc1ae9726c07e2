"""One response verified in this process: what it asks of the database, and what the arithmetic takes."""

import json
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime

from django.db import connection, transaction

from bench import people
from bench.options import Options
from bench.report import Row, at_most
from bench.stage import Stage
from portal import vault
from portal.models import User
from sls import oath
from sls.catalog import DSC_PLUS_SUITE
from sls.devices import challenges
from sls.models import Challenge, Purpose
from tests.counting import counting

MOST_SQL = 6
RUNS = 200


def run(where: Stage, options: Options) -> list[Row]:
    # A device of its own for each response: how often one may be asked is limited.
    issued = [_issued(person) for person in people.holders("verifier", RUNS + 2)]
    with counting() as counted:
        _verify(*issued.pop())
    _verify(*issued.pop())
    device = issued[0][1].device
    before, taken = _transactions(), []
    for order in issued:
        start = time.perf_counter()
        _verify(*order)
        taken.append((time.perf_counter() - start) * 1e6)
    after = _transactions()
    commits, writing = ((b - a) / RUNS for a, b in zip(before, after, strict=True))
    secret = json.loads(vault.sealed_field(device, "secret").open_from(device))
    key, pin_hash = bytes.fromhex(secret["key"]), bytes.fromhex(secret["pin_hash"])
    ocra = _best(lambda: oath.ocra(DSC_PLUS_SUITE, key, "123456", pin_hash=pin_hash))
    unsealed = _best(lambda: vault.sealed_field(device, "secret").open_from(device))
    expected = _best(lambda: challenges.expected_response(device, "123456"))
    return [
        at_most("verify one response: SQL", counted.sql, MOST_SQL),
        Row("  commits", f"{commits:.1f}, {round(writing)} of them writing"),
        Row("  OCRA", f"{ocra:.0f} us"),
        Row("  AES-GCM opening", f"{unsealed:.0f} us"),
        Row("  expected response (both and the JSON)", f"{expected:.0f} us"),
        Row("  whole", f"{statistics.median(taken):.0f} us"),
    ]


def _issued(person: people.Person) -> tuple[User, Challenge, people.Person]:
    user = User.objects.get(username=person.username)
    challenge = challenges.issue(
        user=user,
        device=user.grants.get().device,
        purpose=Purpose.LOGIN,
        session="s",
        now=datetime.now(UTC),
    )
    return user, challenge, person


def _verify(user: User, challenge: Challenge, person: people.Person) -> None:
    now = datetime.now(UTC)
    found = Challenge.objects.select_related("device").get(pk=challenge.pk)
    response = person.answer(found.question)
    challenges.spend(found, users=[user], session="s", now=now)
    with transaction.atomic(durable=True):
        challenges.answer(
            found, response, users=[user], purpose=Purpose.LOGIN, session="s", now=now
        )


def _transactions() -> tuple[int, int]:
    """Commits of this database so far, and transaction numbers given out in the whole server."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT pg_sleep(0.01)")
        cursor.execute(
            "SELECT xact_commit, pg_snapshot_xmax(pg_current_snapshot())::text::bigint "
            "FROM pg_stat_database WHERE datname = current_database()"
        )
        commits, numbers = cursor.fetchone()
        return commits, numbers


def _best(call: Callable[[], object]) -> float:
    """Microseconds of one call: the best of five hundred-fold repetitions."""
    rounds = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(200):
            call()
        rounds.append((time.perf_counter() - start) / 200 * 1e6)
    return min(rounds)
