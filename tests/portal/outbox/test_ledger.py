"""Each attempt has its row, whatever becomes of it."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from portal.models import (
    AttemptOutcome,
    Channel,
    MessagePurpose,
    MessageState,
    OutboxAttempt,
    OutboxMessage,
    Urgency,
)
from portal.outbox import delivery, enqueue, ledger
from portal.outbox.channels.base import DeliveryError, Handed
from tests.conftest import NOW, person

NUMBER = "+447700900123"
SECOND = timedelta(seconds=1)


class Channels:
    """A channel that answers as told, one answer after the other."""

    __name__ = "portal.outbox.channels.made_up"

    def __init__(self) -> None:
        self.answers: list[object] = []
        self.sent: list[object] = []

    def send(self, message):
        self.sent.append(message)
        answer = self.answers.pop(0) if self.answers else "id-1"
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def channel(monkeypatch, settings) -> Channels:
    made = Channels()
    settings.MESSAGE_CHANNELS = dict.fromkeys(("email", "sms", "push"), "made up")
    monkeypatch.setattr(delivery, "import_module", lambda name: made)
    monkeypatch.setattr(enqueue, "_announcer", SimpleNamespace(hint=lambda *told: None))
    return made


def queued(fact: str = "1", channel: Channel = Channel.SMS, **changes: object) -> OutboxMessage:
    words = {"code": "204816", "minutes": 10} if channel == Channel.SMS else {"number": "•••123"}
    row = enqueue.message(
        user=person("owner"),
        event="sms_code" if channel == Channel.SMS else "sms_started",
        fact=fact,
        now=NOW,
        channel=channel,
        to=NUMBER if channel == Channel.SMS else "",
        **(words | changes),
    )
    enqueue.enqueue([row])
    return row


def tries(row: OutboxMessage) -> list[tuple[object, ...]]:
    rows = OutboxAttempt.objects.filter(message=row).order_by("number")
    return list(rows.values_list("number", "outcome", "provider", "answer", "unsure"))


def now_of(row: OutboxMessage) -> OutboxMessage:
    return OutboxMessage.objects.get(pk=row.pk)


def test_a_message_handed_over_has_one_attempt(on_stage, channel):
    row = queued()
    assert delivery.deliver(row.pk, now=NOW)
    assert tries(row) == [(1, "handed_over", "made_up", "", False)]
    (attempt,) = row.tries.all()
    assert (attempt.started_at, attempt.gateway_id, attempt.cost_units) == (NOW, "id-1", 1)
    assert attempt.ended_at >= attempt.started_at
    row = now_of(row)
    assert (row.state, row.gateway_id, row.context, row.recipient) == ("sent", "id-1", "", "")


def test_the_row_notes_purpose_urgency_template_encoding_parts_and_cost(on_stage):
    row, letter = queued(), queued("2", Channel.EMAIL)
    for one in (row, letter):
        assert delivery.deliver(one.pk, now=NOW)
    row, letter = now_of(row), now_of(letter)
    assert (row.purpose, row.urgency) == (MessagePurpose.CODE, Urgency.URGENT)
    assert (row.encoding, row.segments, row.cost_units) == ("GSM-7", 1, 1)
    assert len(row.template_version) == 12
    assert (letter.purpose, letter.urgency) == (MessagePurpose.NOTICE, Urgency.NORMAL)
    assert (letter.encoding, letter.segments, letter.cost_units) == ("", 0, 0)
    assert letter.template_version not in ("", row.template_version)


def test_a_chinese_text_is_ucs2(on_stage):
    row = queued()
    OutboxMessage.objects.filter(pk=row.pk).update(language="zh-hans")
    delivery.deliver(row.pk, now=NOW)
    assert now_of(row).encoding == "UCS-2"


def test_failures_are_kept_one_by_one(on_stage, channel):
    row = queued()
    channel.answers = [
        DeliveryError("503"),
        DeliveryError("TimeoutError", unsure=True),
        ValueError("a defect"),
        Handed("id-4", "second"),
    ]
    now = NOW
    for _ in range(4):
        delivery.deliver(row.pk, now=now)
        now = now_of(row).next_try_at
    assert tries(row) == [
        (1, "failed", "", "503", False),
        (2, "failed", "", "TimeoutError", True),
        (3, "failed", "", "ValueError", True),
        (4, "handed_over", "second", "", False),
    ]
    row = now_of(row)
    assert (row.state, row.provider, row.maybe_twice) == ("sent", "second", True)
    assert row.cost_units == 2  # what may have been sent may have to be paid


def test_a_message_past_its_life_has_an_attempt_that_says_so(on_stage, channel):
    row = queued(life=SECOND)
    assert not delivery.deliver(row.pk, now=NOW + SECOND)
    assert tries(row) == [(1, "expired", "", "", False)]
    assert channel.sent == []


def test_a_worker_that_did_not_come_back_is_noted_by_the_next(on_stage):
    row = queued()
    assert ledger.claim(row.pk, now=NOW)
    assert tries(row) == []
    later = NOW + ledger.LEASE
    assert delivery.deliver(row.pk, now=later)
    assert tries(row) == [(1, "lost", "", "", True), (2, "handed_over", "made_up", "", False)]
    lost = row.tries.get(number=1)
    assert (lost.started_at, lost.ended_at) == (NOW, later)
    assert now_of(row).maybe_twice


def test_a_provider_that_takes_a_key_once_leaves_no_doubt(on_stage, channel):
    row = queued()
    ledger.claim(row.pk, now=NOW)
    channel.answers = [Handed("id-1", "main", is_idempotent=True)]
    assert delivery.deliver(row.pk, now=NOW + ledger.LEASE)
    assert not now_of(row).maybe_twice


def test_a_worker_that_comes_back_late_tells_what_it_knows(on_stage):
    row = queued()
    late = delivery.Attempt(NOW)
    late.row = ledger.claim(row.pk, now=NOW)
    delivery.deliver(row.pk, now=NOW + ledger.LEASE)
    assert not late._close(MessageState.SENT, AttemptOutcome.HANDED_OVER, gateway_id="late-1")
    assert row.tries.get(number=1).gateway_id == "late-1"
    assert row.tries.get(number=1).unsure
    assert now_of(row).gateway_id == "id-1"


def test_an_attempt_has_one_row(on_stage):
    row = queued()
    delivery.deliver(row.pk, now=NOW)
    with pytest.raises(IntegrityError):
        row.tries.create(number=1, started_at=NOW, ended_at=NOW, outcome="lost")


def test_a_delivery_takes_few_statements_and_changes_rows_in_two(on_stage):
    rows = [queued(str(number), Channel.EMAIL) for number in range(2)]
    delivery.deliver(rows[0].pk, now=NOW)
    with CaptureQueriesContext(
        connection,
    ) as said:
        delivery.deliver(rows[1].pk, now=NOW)
    verbs = [query["sql"].split()[0] for query in said]
    if connection.vendor == "postgresql":
        assert verbs == ["UPDATE", "SELECT", "WITH"]
    else:
        assert [v for v in verbs if v not in ("SAVEPOINT", "RELEASE", "BEGIN")] == [
            *("UPDATE", "SELECT"),
            *("UPDATE", "INSERT"),
        ]


def test_the_sweep_takes_the_urgent_ones_first(on_stage):
    bulk = queued("1", Channel.EMAIL, urgency=Urgency.BULK)
    letter, code = queued("2", Channel.EMAIL), queued("3")
    OutboxMessage.objects.filter(pk=bulk.pk).update(next_try_at=NOW - SECOND)
    assert delivery.overdue(now=NOW, at_most=9) == [code.pk, letter.pk, bulk.pk]
    assert delivery.overdue(now=NOW, at_most=9, urgency=Urgency.BULK) == [bulk.pk]


def test_what_was_set_aside_loses_its_words_when_its_life_is_over(on_stage, channel):
    row = queued(life=600 * SECOND)
    channel.answers = [DeliveryError("400 21211", permanent=True)]
    delivery.deliver(row.pk, now=NOW)
    assert delivery.blank_what_is_over(now=NOW + 599 * SECOND) == 0
    assert now_of(row).context
    assert delivery.blank_what_is_over(now=NOW + 600 * SECOND) == 1
    assert (now_of(row).context, now_of(row).recipient) == ("", "")
