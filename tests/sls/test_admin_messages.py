"""What staff see of messages, and how they send one again."""

import uuid
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.errors import Refused
from portal.models import (
    AuditEvent,
    Channel,
    MessagePurpose,
    MessageState,
    OutboxAttempt,
    OutboxMessage,
    SmsProvider,
)
from portal.outbox import delivery, enqueue, resending
from portal.outbox.channels.base import DeliveryError
from tests.conftest import by, person

pytestmark = pytest.mark.usefixtures("on_stage")
LIST = "/admin/portal/outboxmessage/"
NUMBER = "+447700900123"


@pytest.fixture(autouse=True)
def _no_workers(monkeypatch):
    monkeypatch.setattr(enqueue, "_announcer", SimpleNamespace(hint=lambda *told: None))


def set_aside(plays: str = "owner", fact: str = "1", **changes: object) -> OutboxMessage:
    now = timezone.now()
    row = enqueue.message(
        user=person(plays),
        event="sms_code",
        fact=fact,
        now=now,
        channel=Channel.SMS,
        to=NUMBER,
        life=timedelta(minutes=10),
        code="204816",
        minutes=10,
    )
    row.state, row.attempts, row.last_error = MessageState.FAILED, 1, "400 21211"
    for name, value in changes.items():
        setattr(row, name, value)
    row.save(force_insert=True)
    row.tries.create(number=1, started_at=now, ended_at=now, outcome="failed", answer="400 21211")
    return row


def page_of(row: OutboxMessage) -> str:
    return f"{LIST}{row.pk}/resend/"


def state_of(row: OutboxMessage) -> str:
    return OutboxMessage.objects.get(pk=row.pk).state


def test_what_was_over_budget_asks_for_its_budget_again():
    row = set_aside(state=MessageState.REFUSED, segments=2)
    resending.send_again(row, reason="asked for", by=by("support"), now=timezone.now())
    assert OutboxMessage.objects.get(pk=row.pk).segments == 0


def test_who_has_no_permission_finds_no_page(log_in):
    row = set_aside()
    client = log_in("officer")
    assert client.get(LIST).status_code == 403
    assert client.get(page_of(row)).status_code == 403
    assert client.post(page_of(row), {"reason": "x"}).status_code == 403
    assert state_of(row) == "failed"


def test_the_page_tells_the_whole_story_and_no_number_or_word(log_in):
    row = set_aside()
    page = log_in("support").get(f"{LIST}{row.pk}/change/").content.decode()
    assert "400 21211" in page
    assert "•••123" in page
    assert page_of(row) in page
    assert NUMBER not in page
    assert "204816" not in page


def test_support_sends_a_message_again_once_with_a_reason(log_in):
    row = set_aside()
    client = log_in("support")
    assert client.get(page_of(row)).status_code == 200
    assert client.post(page_of(row), {"reason": ""}).status_code == 200
    assert state_of(row) == "failed"
    page = client.post(page_of(row), {"reason": "the carrier was down"})
    assert page.status_code == 302
    assert state_of(row) == "queued"
    event = AuditEvent.objects.get(event="portal.message.sent_again")
    assert (event.actor, event.subject) == ("cleo.harbour", person("owner").username)
    assert event.facts["reason"] == "the carrier was down"
    second = client.post(page_of(row), {"reason": "again"})
    assert second.status_code == 409
    assert 'data-code="message_not_set_aside"' in second.content.decode()


def test_a_message_sent_again_is_delivered_under_the_same_key(log_in, settings):
    settings.MESSAGE_CHANNELS = {"sms": "portal.outbox.channels.folder"}
    row = set_aside()
    log_in("support").post(page_of(row), {"reason": "x"})
    assert delivery.deliver(row.pk, now=timezone.now())
    told = OutboxAttempt.objects.filter(message=row).values_list("number", "outcome")
    assert list(told) == [(1, "failed"), (2, "handed_over")]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"state": MessageState.SENT, "context": "", "recipient": ""}, "message_not_set_aside"),
        ({"state": MessageState.QUEUED}, "message_not_set_aside"),
        ({"state": MessageState.EXPIRED, "context": ""}, "message_not_set_aside"),
        ({"expires_at": timezone.now() - timedelta(seconds=1)}, "message_life_is_over"),
        ({"context": ""}, "message_life_is_over"),
    ],
)
def test_what_is_not_safe_to_send_again_stays_where_it_is(log_in, changes, code):
    row = set_aside(**changes)
    client = log_in("support")
    page = client.post(page_of(row), {"reason": "x"})
    assert page.status_code == 409
    assert f'data-code="{code}"' in page.content.decode()
    assert state_of(row) == row.state
    assert page_of(row) not in client.get(f"{LIST}{row.pk}/change/").content.decode()
    refused = AuditEvent.objects.get(event="portal.message.sent_again")
    assert refused.facts["refused"] == code


def test_a_code_that_a_newer_one_has_replaced_stays_where_it_is(log_in):
    row = set_aside(created_at=timezone.now() - timedelta(minutes=2))
    newer = set_aside(fact="2")
    client = log_in("support")
    page = client.post(page_of(row), {"reason": "x"})
    assert 'data-code="message_replaced"' in page.content.decode()
    assert client.post(page_of(newer), {"reason": "x"}).status_code == 302


def test_a_notice_is_sent_again_beside_a_newer_one(log_in):
    row = set_aside(created_at=timezone.now() - timedelta(minutes=2), purpose=MessagePurpose.NOTICE)
    set_aside(fact="2")
    assert log_in("support").post(page_of(row), {"reason": "x"}).status_code == 302


def test_nobody_sends_his_own_person_a_message_again(log_in):
    owner = person("owner")
    type(owner).objects.filter(pk=person("support").pk).update(entity=owner.entity)
    row = set_aside()
    page = log_in("support").post(page_of(row), {"reason": "mine"})
    assert page.status_code == 409
    assert 'data-code="own_person"' in page.content.decode()


def test_of_two_who_send_it_again_one_does():
    set_aside()
    rows = OutboxMessage.objects.select_related("user__entity")
    first, second = rows.get(), rows.get()
    resending.send_again(first, reason="x", by=by("support"), now=timezone.now())
    with pytest.raises(Refused) as caught:
        resending.send_again(second, reason="y", by=by("support"), now=timezone.now())
    assert caught.value.code == "message_not_set_aside"
    assert OutboxMessage.objects.get().state == "queued"


def test_an_unknown_message_is_not_found(log_in):
    assert log_in("support").get(f"{LIST}{uuid.uuid4()}/resend/").status_code == 404


def test_list_and_page_take_the_same_queries_however_many_there_are(log_in):
    client = log_in("support")

    def count(url: str) -> int:
        with CaptureQueriesContext(connection) as said:
            assert client.get(url).status_code == 200
        return len(said)

    row = set_aside()
    client.get(LIST), client.get(f"{LIST}{row.pk}/change/")
    few = count(LIST), count(f"{LIST}{row.pk}/change/")
    for number in range(2, 12):
        set_aside("requester", fact=str(number))
        now = timezone.now()
        row.tries.create(number=number, started_at=now, ended_at=now, outcome="failed")
    assert (count(LIST), count(f"{LIST}{row.pk}/change/")) == few


def test_a_story_is_told_with_its_doubts(log_in, monkeypatch, settings):
    def send(message):
        raise DeliveryError("TimeoutError", unsure=True)

    monkeypatch.setattr(delivery, "import_module", lambda name: SimpleNamespace(send=send))
    row = set_aside(state=MessageState.QUEUED)
    delivery.deliver(row.pk, now=timezone.now())
    page = log_in("support").get(f"{LIST}{row.pk}/change/").content.decode()
    assert "may have been sent all the same" in page


def test_providers_that_rest_are_shown_to_an_administrator(log_in):
    SmsProvider.objects.create(name="main", failures=2, answer="503")
    assert "503" in log_in("administrator").get("/admin/portal/smsprovider/").content.decode()
