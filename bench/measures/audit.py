"""The audit chain: rows appended by one and by fifty processes, verified and exported."""

import statistics
import time
from datetime import UTC, datetime

from django.db import connection, models, transaction

from bench.options import Options
from bench.parallel import at_once
from bench.report import Row, at_least
from bench.stage import Stage
from portal import audit
from portal.audit import anchors, export
from portal.audit.export import Form
from portal.audit.queries import Filters
from portal.audit.verification import Walk
from portal.caller import Caller

BY = Caller(address="192.0.2.7", request_id="00000000-0000-0000-0000-000000000000")
WRITERS = (1, 50)


class Plain(models.Model):
    """The same columns without chain, trigger or lock: what one committed insert costs anyway."""

    at = models.DateTimeField()
    event = models.CharField(max_length=60)
    actor = models.CharField(max_length=40)
    subject = models.CharField(max_length=40)
    address = models.CharField(max_length=45)
    request_id = models.CharField(max_length=36)
    facts = models.JSONField()
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        app_label = "bench"

    def __str__(self) -> str:
        return self.event


def run(where: Stage, options: Options) -> list[Row]:
    with connection.schema_editor() as editor:
        editor.create_model(Plain)
    rows = []
    for writers in WRITERS:
        ours, floor = [], []
        for _round in range(options.rounds):
            ours.append(at_once(_append, range(writers), options.seconds))
            floor.append(at_once(_insert, range(writers), options.seconds))
        name = f"audit rows, {writers} writer{'s' * (writers > 1)} (floor: bare inserts)"
        rows.append(at_least(name, ours, floor, None))
    return [*rows, *_verified(options.rounds)]


def _verified(rounds: int) -> list[Row]:
    """Everything the writers wrote: the chain unbroken, past an anchor, and taken out as JSON lines."""
    anchors.write(now=datetime.now(UTC))
    hashes, rates, broken = anchors.of_this_machine().hashes, [], []
    for _round in range(rounds):
        walk, start = Walk(anchors=hashes), time.perf_counter()
        broken = list(walk.broken())
        rates.append(walk.rows / (time.perf_counter() - start))
    told = f"{statistics.median(rates):.0f}/s, {len(broken)} of {walk.rows} broken"
    holds = not broken and walk.agreed == len(hashes) == 1
    start = time.perf_counter()
    lines = sum(1 for _ in export.lines(Filters().rows(), form=Form.JSON_LINES, up_to=walk.rows))
    rate = lines / (time.perf_counter() - start)
    return [
        Row("audit rows verified", told, target="none broken", met=holds),
        Row("audit rows exported", f"{rate:.0f}/s", target="every row", met=lines == walk.rows),
    ]


def _append(number: int) -> int:
    with transaction.atomic(durable=True):
        audit.record(
            event="bench.row.appended",
            by=BY,
            subject=None,
            at=datetime.now(UTC),
            share="00000000-0000-0000-0000-000000000000",
            device="•••0017",
        )
    return 1


def _insert(number: int) -> int:
    with transaction.atomic(durable=True):
        Plain.objects.create(
            at=datetime.now(UTC),
            event="bench.row.appended",
            address=BY.address,
            request_id=BY.request_id,
            facts={"share": "00000000-0000-0000-0000-000000000000", "device": "•••0017"},
            previous_hash="0" * 64,
            hash="0" * 64,
        )
    return 1
