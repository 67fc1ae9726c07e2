"""Fifty writers at once, over five processes, leave one unbroken chain (abuse-cases.md F 131)."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.serving import Portal

pytestmark = pytest.mark.live
PROCESSES, THREADS, ROWS = 5, 10, 4
WRITE = f"""
import threading
from datetime import UTC, datetime
from django.db import connection, transaction
from portal import audit
from portal.caller import SYSTEM

together = threading.Barrier({THREADS})

def write(which):
    together.wait()
    for row in range({ROWS}):
        with transaction.atomic(durable=True):
            audit.record(event="test.written", by=SYSTEM, subject=None, at=datetime.now(UTC), row=row)
    connection.close()

threads = [threading.Thread(target=write, args=(which,)) for which in range({THREADS})]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


def test_fifty_writers_leave_one_unbroken_chain(portal: Portal):
    before = portal.count("portal_auditevent")
    written = portal.count("portal_auditevent WHERE event = 'test.written'")
    with ThreadPoolExecutor(PROCESSES + 1) as crowd:
        writers = [
            crowd.submit(portal.manage, "shell", "--command", WRITE) for _ in range(PROCESSES)
        ]
        anchored = crowd.submit(portal.manage, "anchor_audit")
    for done in (*(writer.result() for writer in writers), anchored.result()):
        assert done.returncode == 0, done.stderr
    new = PROCESSES * THREADS * ROWS
    assert portal.count("portal_auditevent WHERE event = 'test.written'") == written + new
    assert portal.count("portal_auditevent") >= before + new
    assert portal.manage("anchor_audit").returncode == 0
    verified = portal.manage("verify_audit", "--strict")
    assert verified.returncode == 0, verified.stderr
    assert verified.stdout.endswith("rows, unbroken\n")
