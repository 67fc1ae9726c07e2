"""What an SMS says, and to whom: abuse-cases.md D 76, I 178 and 179."""

import json
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import IntegrityError, transaction
from django.utils import translation

from portal import vault
from portal.models import Channel, MessageState, OutboxMessage, User
from portal.outbox import delivery, enqueue, rendering, sms
from portal.outbox.channels import folder
from tests.conftest import NOW, log_in, person  # noqa: F401 (a fixture)

NUMBER = "+447700900123"
MINUTES = 10
TEMPLATE = (
    "{% load i18n %}{% autoescape off %}{{ code }}\n{{ brand.name }} {{ user.username }}"
    "{{ base_url }} {{ name }} <&> {{ minutes }} min{% endautoescape %}\n"
)


@pytest.fixture(autouse=True)
def _set_up(settings, tmp_path, monkeypatch):
    """One template of an SMS, and nobody who is hinted at."""
    monkeypatch.setattr(enqueue, "_announcer", SimpleNamespace(hint=lambda *told: None))
    place = tmp_path / "templates" / "messages" / "try_code"
    place.mkdir(parents=True)
    (place / "sms.txt").write_text(TEMPLATE)
    (engine,) = settings.TEMPLATES
    settings.TEMPLATES = [engine | {"DIRS": [tmp_path / "templates", *engine["DIRS"]]}]


def queued(*, to=NUMBER, life=timedelta(minutes=MINUTES), fact="1", **context) -> OutboxMessage:
    words = {"code": "204816", "minutes": MINUTES, "name": "Robin"} | context
    row = enqueue.message(
        user=person("owner"),
        event="try_code",
        fact=fact,
        now=NOW,
        channel=Channel.SMS,
        to=to,
        life=life,
        **words,
    )
    with transaction.atomic():
        enqueue.enqueue([row])
    return row


def text(**context) -> str:
    return rendering.render(queued(**context)).text


# --- The recipient ----------------------------------------------------------------------------------


def test_the_number_is_sealed_and_staff_see_its_end_only(on_stage, log_in):  # noqa: F811
    row = OutboxMessage.objects.get(pk=queued().pk)
    assert NUMBER not in json.dumps(
        OutboxMessage.objects.filter(pk=row.pk).values()[0], default=str
    )
    assert vault.sealed_field(row, "recipient").open_from(row) == NUMBER
    assert row.target == "•••123"
    staff = log_in("administrator")
    for page in ("", f"{row.pk}/change/"):
        html = staff.get(f"/admin/portal/outboxmessage/{page}").content.decode()
        assert "•••123" in html
        assert NUMBER not in html
        assert row.recipient not in html


def test_the_rendered_message_goes_to_the_number_in_the_language_of_the_user(on_stage):
    User.objects.filter(pk=person("owner").pk).update(language="zh-hans")
    message = rendering.render(queued())
    assert (message.to, message.channel, message.language) == (NUMBER, "sms", "zh-hans")
    assert message.expires_at == NOW + timedelta(minutes=MINUTES)
    assert message.key == f"try_code:1:{person('owner').pk}:sms"


def test_number_and_text_stand_in_no_representation(on_stage):
    assert NUMBER not in repr(rendering.render(queued()))
    assert "204816" not in repr(rendering.render(OutboxMessage.objects.get()))


@pytest.mark.parametrize(
    "to", ["", "447700900123", "+0447700900123", "+44 7700", "+1", "+" + "1" * 16, "+44770090012３"]
)
def test_what_is_no_number_is_not_even_written(on_stage, to):
    with pytest.raises(ValueError, match="no recipient"):
        queued(to=to)


def test_an_email_takes_no_other_address(on_stage):
    with pytest.raises(ValueError, match="no recipient"):
        enqueue.message(user=person("owner"), event="e", fact="f", now=NOW, to="a@example.com")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("robin@example.com", "r•••@example.com"),
        ("r@example.com", "r•••@example.com"),
        ("r" * 20 + "@" + "x" * 90 + ".com", "r•••@" + "x" * 75),
        ("", ""),
    ],
)
def test_of_an_email_address_staff_see_a_letter_and_where_it_is(on_stage, address, shown):
    user = person("owner")
    user.email = address
    assert enqueue.message(user=user, event="e", fact="f", now=NOW).target == shown


def test_the_database_refuses_a_waiting_sms_without_a_number(on_stage):
    row = queued()
    with pytest.raises(IntegrityError), transaction.atomic():
        OutboxMessage.objects.filter(pk=row.pk).update(recipient="")


@pytest.mark.parametrize("state", [MessageState.SENT, MessageState.EXPIRED])
def test_the_number_is_forgotten_with_the_text(on_stage, state):
    row = queued()
    after = NOW if state == MessageState.SENT else row.expires_at
    delivery.deliver(row.pk, now=after)
    row.refresh_from_db()
    assert (row.state, row.context, row.recipient, row.target) == (state, "", "", "•••123")


def test_the_same_fact_is_told_to_the_number_once(on_stage):
    queued()
    with pytest.raises(IntegrityError), transaction.atomic():
        queued(to="+447700900124")


# --- The text ---------------------------------------------------------------------------------------


def test_an_sms_is_one_line_that_begins_with_the_code_and_knows_no_address(on_stage):
    assert text() == "204816 Client Portal Robin <&> 10 min"


@pytest.mark.parametrize(
    "name",
    [
        "https://evil.example/x",
        "evil.example",
        "WWW.evil",
        "mail me at a@b",
        "bit.ly/3",
        "EVIL.рф",
        "HTTP://1.2.3.4",
    ],
)
def test_data_that_a_phone_would_make_a_link_of_is_left_out(on_stage, name):
    assert text(name=name) == "204816 Client Portal … <&> 10 min"


@pytest.mark.parametrize(
    "name",
    ["Ro\r\nbin", "R\u202eobin", "Ro\u200bbin", "\x00\x1bRobin\x07", "Ro\u2028bin", "Robin\ufeff"],
)
def test_data_breaks_no_line_and_hides_nothing(on_stage, name):
    said = text(name=name)
    assert said.replace(" ", "") == "204816ClientPortalRobin<&>10min"
    assert said.isprintable()


def test_a_link_that_is_pieced_together_from_invisible_signs_is_left_out(on_stage):
    assert "evil" not in text(name="evil\u200b.\u200bexample")


def test_long_data_pushes_nothing_out(on_stage):
    said = text(name="x" * 5000)
    assert said.startswith("204816 ")
    assert said.endswith("10 min")
    assert len(said) <= sms.LONGEST


def test_a_long_text_is_cut_and_keeps_its_code(on_stage):
    assert len(sms.one_line("204816 " + "x" * 5000)) == sms.LONGEST


def test_numbers_pass_as_they_are():
    assert sms.harmless(10) == 10


# --- The life ---------------------------------------------------------------------------------------


def test_a_code_is_not_sent_after_its_life(on_stage, settings):
    settings.MESSAGE_CHANNELS = {"sms": folder.__name__}
    row = queued()
    assert not delivery.deliver(row.pk, now=row.expires_at)
    assert not settings.MESSAGE_FOLDER.exists()


def test_a_pause_never_reaches_beyond_the_life(on_stage, settings):
    settings.MESSAGE_CHANNELS = {"sms": "portal.outbox.channels.sms"}
    settings.SMS_PROVIDERS = {"main": "twilio+http://AC1:t@127.0.0.1:1/?from=+15005550006"}
    row, now = queued(), NOW
    while row.state != MessageState.EXPIRED:
        delivery.deliver(row.pk, now=now)
        row.refresh_from_db()
        if row.state == MessageState.QUEUED:
            assert now < row.next_try_at <= row.expires_at
        now = row.next_try_at
    assert row.attempts == 5  # the claim that found it expired is counted


def test_the_folder_has_the_number_and_the_text(on_stage, settings):
    settings.MESSAGE_CHANNELS = {"sms": folder.__name__}
    assert delivery.deliver(queued().pk, now=NOW)
    (file,) = settings.MESSAGE_FOLDER.iterdir()
    written = json.loads(file.read_text(encoding="utf-8"))
    assert (written["channel"], written["to"]) == ("sms", NUMBER)
    assert written["text"].startswith("204816 ")


# --- The templates ----------------------------------------------------------------------------------


def test_every_sms_template_puts_its_code_first_and_links_nowhere(settings):
    for template in (settings.BASE_DIR / "templates" / "messages").glob("*/sms.txt"):
        source = template.read_text(encoding="utf-8")
        assert [w for w in ("{% url", "://", "base_url", "user.") if w in source] == []
        if "code" not in source:
            continue
        for language in ("en", "zh-hans"):
            with translation.override(language):
                said = rendering.render_to_string(
                    f"messages/{template.parent.name}/sms.txt",
                    {"code": "204816", "minutes": 10, "brand": settings.BRAND},
                )
            assert sms.one_line(said).startswith("204816"), template
            assert len(" ".join(said.split())) <= sms.LONGEST, template
