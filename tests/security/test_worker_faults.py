"""Real workers whose database goes away and comes back (abuse-cases.md 164): their queues go on, and nothing is lost."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
import pytest

from tests import postgresql
from tests.security.conftest import start
from tests.serving import Portal

from .test_message_faults import states, wait_for, write

pytestmark = pytest.mark.live
SEND = """
from portal.celery import app
app.loader.import_default_modules()
for name in sorted(app.tasks):
    if not name.startswith("celery.") and not name.endswith(".deliver"):
        app.tasks[name].delay()
"""


@pytest.fixture
def portal() -> Iterator[Portal]:
    made = start("postgresql", processes=1)
    yield made
    made.stop()


@contextmanager
def away(portal: Portal) -> Iterator[None]:
    """The server hangs up on everybody and lets nobody in."""
    name = urlsplit(portal.database_url).path.lstrip("/")
    hang_up = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
    with psycopg.connect(postgresql.server(), autocommit=True) as server:
        server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        server.execute(hang_up, [name])
        try:
            yield
        finally:
            server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def test_workers_whose_database_was_away_go_on_at_once(portal: Portal):
    workers = [portal.children()[name] for name in ("worker", "worker-urgent")]
    for number in range(3):  # every thread of the pool has had a connection
        write(portal, f"before {number}", event="share_withdrawn", urgency=0)
    wait_for(lambda: set(states(portal)) <= {"sent", "failed"})
    write(portal, "waits", life=600)
    wait_for(lambda: states(portal)[-1] == "sent")
    logs = [portal.var / "log" / f"{name}.log" for name in ("worker", "worker-urgent")]
    with away(portal):
        # Which of the two takes an urgent sweep is chance; those of the other queues are the first one's.
        wait_for(lambda: "raised unexpected" in logs[0].read_text(), seconds=40)

    write(portal, "after", urgency=0, hints=4)
    write(portal, "after as well", hints=4)
    assert portal.manage("shell", "-v", "0", "-c", SEND).returncode == 0
    wait_for(lambda: states(portal)[-2:] == ["sent", "sent"])
    told = [log.read_text() for log in logs]
    time.sleep(12)  # two sweeps of every queue, by every thread that has its turn
    later = [log.read_text()[len(before) :] for log, before in zip(logs, told, strict=True)]
    assert not any("raised unexpected" in line for line in later), later
    assert [portal.children()[name] for name in ("worker", "worker-urgent")] == workers
    assert "204816" not in "".join(told)
    assert "+447700900123" not in "".join(told)
