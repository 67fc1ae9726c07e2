"""Messages from their row to their channel: abuse-cases.md I 175 to 181."""

import json
import smtplib
import threading
import uuid
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.core import mail
from django.db import IntegrityError, transaction
from django.template import TemplateSyntaxError
from django.urls import NoReverseMatch
from django.utils import translation

from portal import vault
from portal.models import Channel, MessageState, OutboxMessage, Urgency, User
from portal.outbox import delivery, enqueue, ledger, rendering, tasks
from portal.outbox.channels import email, folder
from portal.outbox.channels.base import DeliveryError, Message
from tests.conftest import NOW, person

WORDS = {
    "requester": "robin.calder",
    "owner": "robin.savings",
    "device": "dsc_plus",
    "serial": "•••0017",
    "undo_token": "",
}
SECOND = timedelta(seconds=1)


class Gateway:
    """A channel that keeps what it is sent, or fails as told."""

    def __init__(self):
        self.sent = []
        self.fails = None

    def send(self, message):
        self.sent.append(message)
        if self.fails:
            raise self.fails


@pytest.fixture
def gateway(monkeypatch):
    gateway = Gateway()
    real = delivery.import_module
    monkeypatch.setattr(
        delivery, "import_module", lambda name: gateway if name == "a.gateway" else real(name)
    )
    return gateway


@pytest.fixture(autouse=True)
def _to_the_gateway(settings):
    settings.MESSAGE_CHANNELS = {"email": "a.gateway"}


@pytest.fixture(autouse=True)
def hints(monkeypatch):
    """The ids that the workers are told of."""
    told = []
    monkeypatch.setattr(
        enqueue, "_announcer", SimpleNamespace(hint=lambda pk, _urgency: told.append(pk))
    )
    return told


def new(
    plays="owner",
    *,
    event="share_withdrawn",
    fact="a share",
    now=NOW,
    life=enqueue.LIFE,
    **context,
):
    return enqueue.message(
        user=person(plays), event=event, fact=fact, now=now, life=life, **(WORDS | context)
    )


def queued(*args, **kwargs):
    row = new(*args, **kwargs)
    enqueue.enqueue([row])
    return row


def now_of(row):
    return OutboxMessage.objects.get(pk=row.pk)


# --- Delivering -------------------------------------------------------------------------------------


def test_a_message_is_sent_once_and_closed(on_stage, gateway):
    row = queued()
    assert delivery.deliver(row.pk, now=NOW)
    assert not delivery.deliver(row.pk, now=NOW + timedelta(days=1))
    assert len(gateway.sent) == 1
    row = now_of(row)
    assert (row.state, row.sent_at, row.attempts) == (MessageState.SENT, NOW, 1)
    assert not row.maybe_twice


def test_the_context_is_sealed_while_it_waits_and_blank_once_it_is_sent(on_stage, gateway):
    row = queued()
    assert "robin" not in now_of(row).context
    assert json.loads(vault.sealed_field(row, "context").open_from(now_of(row))) == WORDS
    delivery.deliver(row.pk, now=NOW)
    assert now_of(row).context == ""


def test_a_message_is_rendered_for_its_receiver(on_stage, gateway):
    delivery.deliver(queued(fact="f").pk, now=NOW)
    (sent,) = gateway.sent
    owner = person("owner")
    assert (sent.to, sent.username, sent.language) == (owner.email, owner.username, "en")
    assert sent.key == f"share_withdrawn:f:{owner.pk}:email"
    assert sent.subject == "Client Portal: a sharing request has ended"
    assert "Dear Robin Calder" in sent.text
    assert "•••0017" in sent.text


def test_a_message_is_rendered_in_the_receivers_language_of_that_moment(on_stage, gateway):
    row = queued("phone_user")
    User.objects.filter(pk=row.user_id).update(language="en")
    seen = []
    real = rendering.render_to_string

    def render(name, context):
        seen.append(translation.get_language())
        return real(name, context)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rendering, "render_to_string", render)
        delivery.deliver(row.pk, now=NOW)
    assert seen == ["zh-hans"]
    assert gateway.sent[0].language == "zh-hans"


def test_a_subject_is_one_short_line_and_the_text_is_not_escaped(on_stage, gateway):
    row = queued(serial="<&'\"", requester="a\r\nBcc: x@example.com")
    delivery.deliver(row.pk, now=NOW)
    (sent,) = gateway.sent
    assert "<&'\"" in sent.text
    assert "\n" not in sent.subject
    assert len(sent.subject) <= 150


def test_a_message_that_does_not_exist_is_nothing_to_do(db):
    assert not delivery.deliver(uuid.uuid4(), now=NOW)


def test_a_message_is_not_sent_before_its_time(on_stage, gateway):
    row = queued()
    assert not delivery.deliver(row.pk, now=NOW - SECOND)
    assert not gateway.sent
    assert now_of(row).state == MessageState.QUEUED


# --- Claim and lease --------------------------------------------------------------------------------


def test_a_message_that_is_being_sent_is_left_alone_during_its_lease(on_stage, gateway):
    row = queued()
    assert ledger.claim(row.pk, now=NOW)
    assert not delivery.deliver(row.pk, now=NOW + ledger.LEASE - SECOND)
    assert not gateway.sent


def test_after_its_lease_the_message_of_a_dead_worker_is_sent_and_marked(on_stage, gateway):
    row = queued()
    ledger.claim(row.pk, now=NOW)
    assert delivery.deliver(row.pk, now=NOW + ledger.LEASE)
    row = now_of(row)
    assert (row.state, row.attempts, row.maybe_twice) == (MessageState.SENT, 2, True)


def test_a_worker_that_comes_back_late_does_not_touch_what_another_has_closed(on_stage, gateway):
    row = queued()
    late = ledger.claim(row.pk, now=NOW)
    delivery.deliver(row.pk, now=NOW + ledger.LEASE)
    attempt = delivery.Attempt(NOW)
    attempt.row = late
    attempt._postpone(DeliveryError("late"))
    assert now_of(row).state == MessageState.SENT


def test_a_delivery_while_another_is_under_way_sends_nothing(on_stage, gateway):
    row = queued()
    inner = []
    real = gateway.send
    gateway.send = lambda m: (inner.append(delivery.deliver(row.pk, now=NOW)), real(m))
    assert delivery.deliver(row.pk, now=NOW)
    assert inner == [False]
    assert len(gateway.sent) == 1


def test_of_two_deliveries_at_once_one_has_the_message(on_stage):
    row = queued()
    claims = [ledger.claim(row.pk, now=NOW) for _ in range(2)]
    assert [claim and claim.pk for claim in claims] == [row.pk, None]
    assert now_of(row).attempts == 1


# --- Failures ---------------------------------------------------------------------------------------


def test_a_failed_try_is_repeated_with_growing_pauses_and_then_set_aside(on_stage, gateway):
    row = queued()
    gateway.fails = DeliveryError("451 try later")
    now = NOW
    for pause in delivery.PAUSES:
        assert not delivery.deliver(row.pk, now=now)
        kept = now_of(row)
        assert (kept.state, kept.next_try_at) == (MessageState.QUEUED, now + pause)
        assert kept.last_error == "451 try later"
        assert not delivery.deliver(row.pk, now=now + pause - SECOND)
        now += pause
    assert not delivery.deliver(row.pk, now=now)
    assert now_of(row).state == MessageState.FAILED
    assert len(gateway.sent) == len(delivery.PAUSES) + 1
    assert sorted(delivery.PAUSES) == delivery.PAUSES


def test_a_try_after_failures_succeeds_and_forgets_the_error(on_stage, gateway):
    row = queued()
    gateway.fails = DeliveryError("451 try later")
    delivery.deliver(row.pk, now=NOW)
    gateway.fails = None
    assert delivery.deliver(row.pk, now=NOW + delivery.PAUSES[0])
    assert (now_of(row).state, now_of(row).last_error) == (MessageState.SENT, "")


def test_a_permanent_failure_is_not_tried_again(on_stage, gateway):
    row = queued()
    gateway.fails = DeliveryError("550 " + "x" * 500, permanent=True)
    delivery.deliver(row.pk, now=NOW)
    assert now_of(row).state == MessageState.FAILED
    assert len(now_of(row).last_error) == 200
    assert delivery.overdue(now=NOW + timedelta(days=1), at_most=10) == []


def test_an_expired_message_is_dropped_and_blanked(on_stage, gateway):
    row = queued(life=timedelta(minutes=10))
    assert not delivery.deliver(row.pk, now=NOW + timedelta(minutes=10))
    assert not gateway.sent
    assert (now_of(row).state, now_of(row).context) == (MessageState.EXPIRED, "")


def test_a_message_is_sent_until_the_moment_it_expires(on_stage, gateway):
    row = queued(life=timedelta(minutes=10))
    assert delivery.deliver(row.pk, now=NOW + timedelta(minutes=10) - SECOND)


def test_a_message_without_a_template_is_set_aside_and_holds_up_no_other(on_stage, gateway, caplog):
    poison, good = queued(event="no_such_event"), queued()
    for pk in delivery.overdue(now=NOW, at_most=10):
        delivery.deliver(pk, now=NOW)
    assert now_of(poison).state == MessageState.FAILED
    assert now_of(poison).last_error == "TemplateDoesNotExist"
    assert now_of(good).state == MessageState.SENT
    assert "cannot be rendered" in caplog.text


@pytest.mark.parametrize(
    "error", [TemplateSyntaxError("poison"), NoReverseMatch("poison"), TypeError("poison")]
)
def test_a_poison_template_is_set_aside_whatever_its_error(on_stage, gateway, monkeypatch, error):
    def fail(name, context):
        raise error

    row = queued()
    monkeypatch.setattr(rendering, "render_to_string", fail)
    assert not delivery.deliver(row.pk, now=NOW)
    assert now_of(row).state == MessageState.FAILED
    assert now_of(row).last_error == type(error).__name__


def test_a_defect_of_a_channel_does_not_stop_the_sweep(on_stage, gateway, monkeypatch):
    rows = [queued(fact=str(number)) for number in range(2)]
    gateway.fails = ValueError("a defect")
    monkeypatch.setattr(tasks, "shared_now", lambda: NOW)
    tasks.sweep()
    assert [now_of(row).last_error for row in rows] == ["ValueError"] * 2
    assert [now_of(row).state for row in rows] == [MessageState.QUEUED] * 2


def test_a_message_that_does_not_open_waits_for_a_worker_with_its_key(on_stage, gateway):
    row, other = queued(), queued(fact="another")
    right = row.context
    OutboxMessage.objects.filter(pk=row.pk).update(context=other.context)
    assert not delivery.deliver(row.pk, now=NOW)
    assert (now_of(row).state, now_of(row).last_error) == (MessageState.QUEUED, "VaultError")
    assert not gateway.sent
    OutboxMessage.objects.filter(pk=row.pk).update(context=right)
    assert delivery.deliver(row.pk, now=now_of(row).next_try_at)
    assert len(gateway.sent) == 1


def test_a_message_over_an_unknown_channel_is_set_aside(on_stage):
    row = new(channel=Channel.SMS, to="+447700900123")
    enqueue.enqueue([row])
    assert not delivery.deliver(row.pk, now=NOW)
    assert now_of(row).state == MessageState.FAILED


# --- The sweep --------------------------------------------------------------------------------------


def test_overdue_finds_waiting_messages_and_lost_leases_oldest_first(on_stage, gateway):
    sent, leased, lost, waiting, later = (queued(fact=str(n)) for n in range(5))
    delivery.deliver(sent.pk, now=NOW)
    ledger.claim(leased.pk, now=NOW)
    ledger.claim(lost.pk, now=NOW - timedelta(0))
    times = {leased: 61, lost: 5, waiting: 1, later: 600}
    for row, seconds in times.items():
        OutboxMessage.objects.filter(pk=row.pk).update(next_try_at=NOW + seconds * SECOND)
    soon = NOW + 60 * SECOND
    assert delivery.overdue(now=soon, at_most=10) == [waiting.pk, lost.pk]
    assert delivery.overdue(now=soon, at_most=1) == [waiting.pk]


def test_the_sweep_delivers_what_nobody_has_delivered(on_stage, gateway, monkeypatch):
    rows = [queued(fact=str(number)) for number in range(3)]
    monkeypatch.setattr(tasks, "shared_now", lambda: NOW)
    tasks.sweep()
    tasks.sweep()
    tasks.deliver(str(rows[0].pk))
    assert len(gateway.sent) == 3


# --- Writing ----------------------------------------------------------------------------------------


def test_a_fact_is_told_to_a_person_over_a_channel_once(on_stage):
    queued()
    with pytest.raises(IntegrityError), transaction.atomic():
        queued()
    queued("requester")
    queued(fact="another share")
    queued(event="share_cancelled")
    assert OutboxMessage.objects.count() == 4


@pytest.mark.django_db(transaction=True)
def test_enqueue_needs_the_transaction_of_what_it_tells_of(on_stage, hints):
    with pytest.raises(AssertionError):
        queued()
    assert not OutboxMessage.objects.exists()
    assert hints == []


@pytest.mark.django_db(transaction=True)
def test_the_hint_is_given_after_the_commit_only(on_stage, hints):
    with transaction.atomic():
        row = queued()
        assert hints == []
    assert hints == [row.pk]


@pytest.mark.django_db(transaction=True)
def test_a_rolled_back_message_is_neither_kept_nor_hinted_at(on_stage, hints):
    with transaction.atomic():
        queued()
        transaction.set_rollback(True)
    assert hints == []
    assert not OutboxMessage.objects.exists()


def test_a_hint_is_handed_to_celery_by_a_thread_of_its_own(monkeypatch):
    handed, done = [], threading.Event()

    def apply_async(args, **options):
        handed.append((args, threading.current_thread().name, options["retry"], options["queue"]))
        done.set()

    monkeypatch.setattr(tasks.deliver, "apply_async", apply_async)
    pk = uuid.uuid4()
    enqueue._Announcer().hint(pk, Urgency.URGENT)
    assert done.wait(5)
    assert handed == [([str(pk)], "outbox", False, "urgent")]


def test_a_frozen_broker_stalls_nobody(monkeypatch):
    frozen = threading.Event()
    monkeypatch.setattr(tasks.deliver, "apply_async", lambda *a, **k: frozen.wait(10))
    announcer = enqueue._Announcer()
    try:
        for _ in range(enqueue.WAITING_HINTS + 50):
            announcer.hint(uuid.uuid4(), Urgency.NORMAL)
        assert announcer._hints.full()
    finally:
        frozen.set()


def test_a_broker_that_refuses_does_not_end_the_thread(monkeypatch):
    tried = threading.Semaphore(0)

    def apply_async(*args, **options):
        tried.release()
        raise ConnectionError("refused")

    monkeypatch.setattr(tasks.deliver, "apply_async", apply_async)
    announcer = enqueue._Announcer()
    for _ in range(2):
        announcer.hint(uuid.uuid4(), Urgency.NORMAL)
        assert tried.acquire(timeout=5)


# --- Channels ---------------------------------------------------------------------------------------

LETTER = Message(
    key="a:b",
    channel="email",
    event="share_enforced",
    to="robin@example.com",
    username="robin.calder",
    language="zh-hans",
    subject="主题",
    text="text",
    expires_at=NOW,
)


def test_the_folder_holds_one_file_for_a_message_sent_twice(settings):
    folder.send(LETTER)
    folder.send(LETTER)
    (file,) = settings.MESSAGE_FOLDER.iterdir()
    content = json.loads(file.read_text(encoding="utf-8"))
    assert content.pop("sent_at")
    assert content == vars(LETTER) | {"expires_at": str(NOW)}


def test_a_mail_names_its_language_and_has_the_same_id_when_sent_twice():
    email.send(LETTER)
    email.send(LETTER)
    first, second = mail.outbox
    assert (first.to, first.subject, first.body) == ([LETTER.to], "主题", "text")
    assert first.extra_headers == second.extra_headers
    assert first.extra_headers["Content-Language"] == "zh-hans"


@pytest.mark.parametrize(
    ("error", "permanent"),
    [
        (smtplib.SMTPRecipientsRefused({"a@b": (550, b"no")}), True),
        (smtplib.SMTPRecipientsRefused({"a@b": (451, b"later")}), False),
        (smtplib.SMTPServerDisconnected("gone"), False),
        (TimeoutError("slow"), False),
        (ConnectionRefusedError("down"), False),
    ],
)
def test_a_mail_server_that_fails_is_a_delivery_error(monkeypatch, error, permanent):
    def fail(self):
        raise error

    monkeypatch.setattr("django.core.mail.EmailMessage.send", fail)
    with pytest.raises(DeliveryError) as caught:
        email.send(LETTER)
    assert caught.value.permanent is permanent


# --- Clocks -----------------------------------------------------------------------------------------

AHEAD = NOW + timedelta(hours=2)


@pytest.mark.parametrize("by", ["hint", "sweep"])
def test_a_message_by_a_clock_that_is_ahead_goes_out_at_once(on_stage, gateway, monkeypatch, by):
    row = queued(now=AHEAD, life=timedelta(minutes=10))
    monkeypatch.setattr(tasks, "shared_now", lambda: NOW)
    tasks.deliver(str(row.pk)) if by == "hint" else tasks.sweep(Urgency.NORMAL)
    assert now_of(row).state == MessageState.SENT
    assert gateway.sent[0].expires_at == NOW + timedelta(minutes=10)


def test_a_message_by_a_clock_that_is_ahead_lives_no_longer_than_others(on_stage, gateway):
    row = queued(now=AHEAD, life=timedelta(minutes=10))
    gateway.fails = DeliveryError("busy")
    now = NOW
    for minutes in (0, 1, 3, 5):
        now = NOW + timedelta(minutes=minutes)
        delivery.deliver(row.pk, now=now)
    assert len(gateway.sent) == 4
    assert delivery.early(now=now, at_most=9) == []  # its pauses are those of any other
    gateway.fails = None
    assert not delivery.deliver(row.pk, now=NOW + timedelta(minutes=11))
    assert now_of(row).state == MessageState.EXPIRED


def test_a_message_by_a_clock_that_is_behind_is_dropped_when_its_life_is_over(on_stage, gateway):
    row = queued(now=NOW - timedelta(hours=2), life=timedelta(minutes=10))
    assert not delivery.deliver(row.pk, now=NOW)
    assert gateway.sent == []
    assert now_of(row).state == MessageState.EXPIRED
