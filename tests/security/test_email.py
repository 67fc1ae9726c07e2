"""Messages by real SMTP on loopback: languages, refusals, and a server that is down."""

import html
import re
import smtplib
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from itertools import pairwise

import pytest
from aiosmtpd.controller import Controller
from django.db import transaction

from portal.models import MessageState, OutboxMessage
from portal.outbox import delivery
from portal.outbox.enqueue import enqueue, message
from tests.conftest import NOW, person
from tests.serving import free_port

pytestmark = pytest.mark.usefixtures("on_stage")


class Mailbox:
    """An SMTP server's handler that keeps what it gets, or answers as told."""

    def __init__(self) -> None:
        self.got: list[EmailMessage] = []
        self.answer = "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.answer.startswith("550"):
            return self.answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if not self.answer.startswith("250"):
            return self.answer
        self.got.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


@pytest.fixture
def mailbox(settings) -> Iterator[Mailbox]:
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=free_port())
    controller.start()
    _mail_to(settings, controller.port)
    yield box
    with suppress(Exception):
        controller.stop()


def _mail_to(settings, port: int) -> None:
    settings.MESSAGE_CHANNELS = {"email": "portal.outbox.channels.email"}
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", port, False


def text_of(mail: EmailMessage) -> str:
    return mail.get_body(("plain",)).get_content()


def html_of(mail: EmailMessage) -> str:
    return mail.get_body(("html",)).get_content()


def tell(plays: str, fact: str = "1", **words: str) -> OutboxMessage:
    context = {
        "requester": "robin.calder",
        "owner": "robin.savings",
        "device": "dsc_plus",
        "serial": "•••0017",
        "undo_token": "token",
    }
    row = message(
        user=person(plays), event="share_enforced", fact=fact, now=NOW, **(context | words)
    )
    with transaction.atomic():
        enqueue([row])
    return row


def test_a_message_arrives_in_the_receivers_language(mailbox: Mailbox):
    english, chinese = tell("owner"), tell("phone_user")
    assert delivery.deliver(english.pk, now=NOW)
    assert delivery.deliver(chinese.pk, now=NOW)

    first, second = mailbox.got
    assert first["To"] == "robin.savings@example.com"
    assert (first["Content-Language"], second["Content-Language"]) == ("en", "zh-hans")
    assert first["Auto-Submitted"] == "auto-generated"
    assert "robin.calder" in text_of(first)
    assert OutboxMessage.objects.filter(state=MessageState.SENT, context="").count() == 2


def test_line_breaks_in_words_never_become_headers(mailbox: Mailbox):
    evil = "x\r\nBcc: thief@example.com\r\n\r\nbody"
    row = tell("owner", requester=evil, owner=evil)
    assert delivery.deliver(row.pk, now=NOW)
    (mail,) = mailbox.got
    assert mail["Bcc"] is None
    assert mail["To"] == "robin.savings@example.com"
    assert not set("\r\n") & set(mail["Subject"])


def test_the_links_of_a_message_begin_with_the_configured_address(mailbox: Mailbox, settings):
    settings.BASE_URL = "https://portal.example"
    assert delivery.deliver(tell("owner").pk, now=NOW)
    text = text_of(mailbox.got[0])
    assert "https://portal.example/" in text
    assert "127.0.0.1" not in text


def test_a_refused_address_is_set_aside_at_once(mailbox: Mailbox):
    mailbox.answer = "550 no such mailbox"
    row = tell("owner")
    assert not delivery.deliver(row.pk, now=NOW)
    row.refresh_from_db()
    assert (row.state, row.attempts) == (MessageState.FAILED, 1)
    assert "550" in row.last_error
    assert not delivery.deliver(row.pk, now=NOW + timedelta(days=1))


def test_a_temporary_answer_is_tried_again(mailbox: Mailbox):
    mailbox.answer = "451 later"
    row = tell("owner")
    assert not delivery.deliver(row.pk, now=NOW)
    row.refresh_from_db()
    assert row.state == MessageState.QUEUED
    mailbox.answer = "250 OK"
    assert delivery.deliver(row.pk, now=row.next_try_at)
    assert len(mailbox.got) == 1


def test_a_server_that_is_down_is_tried_again_with_growing_pauses(settings):
    _mail_to(settings, free_port())
    row = tell("owner")
    now, pauses = NOW, []
    while row.state != MessageState.FAILED:
        assert not delivery.deliver(row.pk, now=now)
        row.refresh_from_db()
        if row.state == MessageState.QUEUED:
            assert not delivery.deliver(row.pk, now=now)  # not before its time
            pauses.append(row.next_try_at - now)
            now = row.next_try_at
        assert len(pauses) < 20
    assert all(longer > shorter for shorter, longer in pairwise(pauses))
    assert len(pauses) >= 4
    assert "ConnectionRefused" in row.last_error


def test_a_message_whose_life_is_over_is_not_sent(mailbox: Mailbox):
    row = tell("owner")
    assert not delivery.deliver(row.pk, now=row.expires_at)
    row.refresh_from_db()
    assert (row.state, row.context) == (MessageState.EXPIRED, "")
    assert mailbox.got == []


def test_the_same_message_delivered_five_times_is_one_mail(mailbox: Mailbox):
    row = tell("owner")
    assert [delivery.deliver(row.pk, now=NOW) for _ in range(5)] == [True, *[False] * 4]
    assert len(mailbox.got) == 1


# --- The same words as HTML ---------------------------------------------------------------------------


def test_text_and_html_say_the_same_in_the_receivers_language(mailbox: Mailbox):
    for plays, language in (("owner", "en"), ("phone_user", "zh-hans")):
        assert delivery.deliver(tell(plays, fact=plays).pk, now=NOW)
        mail = mailbox.got[-1]
        assert mail.get_content_type() == "multipart/alternative"
        page = html_of(mail)
        assert f'<html lang="{language}">' in page
        seen = html.unescape(re.sub(r"<[^>]+>", " ", page.partition("<h1>")[2]))
        for line in text_of(mail).splitlines():
            assert " ".join(line.split()) in " ".join(seen.split())
        assert mail["Subject"] in seen


def test_the_html_escapes_what_it_is_told_and_loads_nothing(mailbox: Mailbox):
    evil = '<img src="https://evil.example/x.png"><script>alert(1)</script>'
    assert delivery.deliver(tell("owner", requester=evil).pk, now=NOW)
    page = html_of(mailbox.got[0])
    assert "&lt;script&gt;" in page
    for tag in ("<img", "<script", "<link", "<style", "<iframe", "url("):
        assert tag not in page


def test_only_our_own_addresses_become_links(mailbox: Mailbox, settings):
    settings.BASE_URL = "https://portal.example"
    evil = "https://portal.example.evil.example/x"
    assert delivery.deliver(tell("owner", requester=evil).pk, now=NOW)
    page = html_of(mailbox.got[0])
    links = re.findall(r'href="([^"]*)"', page)
    assert links
    assert all(link.startswith("https://portal.example/") for link in links)
    assert evil in page


def test_a_server_that_breaks_off_in_the_middle_may_have_it(mailbox: Mailbox, monkeypatch):
    def break_off(*args: object, **kwargs: object) -> None:
        raise smtplib.SMTPServerDisconnected("x")

    monkeypatch.setattr(smtplib.SMTP, "sendmail", break_off)
    row = tell("owner")
    assert not delivery.deliver(row.pk, now=NOW)
    row.refresh_from_db()
    assert row.maybe_twice
    assert (row.state, row.last_error) == (MessageState.QUEUED, "SMTPServerDisconnected")


def test_a_refused_connection_leaves_no_doubt(settings):
    _mail_to(settings, free_port())
    row = tell("owner")
    assert not delivery.deliver(row.pk, now=NOW)
    row.refresh_from_db()
    assert not row.maybe_twice
