"""What a client sees of the SMS he waits for: on the web's code pages, and in the phone app."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from portal.models import Channel, MessageState, OutboxMessage, PhoneNumber, Receipt, User
from portal.outbox import delivery, queries
from sls.mobile import operations as mobile
from tests.conftest import PLAYS, by, password, person
from tests.handset import new_phone

pytestmark = pytest.mark.usefixtures("on_stage")
WHO = "no_device"
CODE_PAGE = "/settings/user/mobile/code/"
INDIAN, BRITISH = "+919876543210", "+447700900123"


def client_who_waits(number: str = BRITISH) -> Client:
    """One who verifies a number and looks at the page that asks for its code."""
    client = Client()
    client.post("/login/", {"username": PLAYS[WHO].username, "password": password(WHO)})
    user = person(WHO)
    PhoneNumber.objects.filter(entity=user.entity_id).delete()
    row = PhoneNumber.objects.create(entity=user.entity, e164=number)
    client.post(f"/settings/user/mobile/{row.pk}/verify/")
    return client


def shown(client: Client) -> tuple[str, str]:
    page = client.get(CODE_PAGE)
    assert page.status_code == 200, page
    html = page.content.decode()
    found = re.search(r'data-progress="([a-z_]+)"', html)
    return (found[1] if found else ""), html


def the_sms() -> OutboxMessage:
    return OutboxMessage.objects.get(channel=Channel.SMS)


def change(**columns: object) -> None:
    OutboxMessage.objects.filter(channel=Channel.SMS).update(**columns)


def test_from_waiting_to_delivered():
    client = client_who_waits()
    assert shown(client)[0] == "waiting"
    delivery.deliver(the_sms().pk, now=timezone.now())
    progress, html = shown(client)
    assert progress == "handed_over"
    assert "Handed to your carrier, not confirmed." in html
    assert f'href="{CODE_PAGE}"' in html
    change(receipt=Receipt.DELIVERED)
    progress, html = shown(client)
    assert progress == "delivered"
    assert "Look again" not in html


@pytest.mark.parametrize(
    ("columns", "progress", "words"),
    [
        ({"state": MessageState.FAILED}, "not_delivered", "Check the number"),
        (
            {"state": MessageState.SENT, "receipt": Receipt.UNDELIVERED},
            "not_delivered",
            "could not be delivered",
        ),
        ({"state": MessageState.REFUSED}, "over_budget", "No message was sent"),
        ({"state": MessageState.EXPIRED}, "too_late", "Ask for a new code"),
    ],
)
def test_what_went_wrong_is_said_with_what_to_do(columns, progress, words):
    client = client_who_waits()
    change(**columns)
    seen, html = shown(client)
    assert seen == progress
    assert words in html
    assert "Send a new code" in html


def test_in_india_the_registry_is_named_in_both_languages():
    client = client_who_waits(INDIAN)
    assert "do-not-disturb or do-not-call registry" in shown(client)[1]
    client.post("/language/", {"language": "zh-hans", "next": "/"})
    html = shown(client)[1]
    assert "免打扰" in html
    assert "do-not-disturb" not in html


def test_elsewhere_there_is_no_advice_of_india():
    assert "do-not-disturb" not in shown(client_who_waits(BRITISH))[1]


def test_the_login_page_tells_too():
    user = person(WHO)
    number = PhoneNumber.objects.get(entity=user.entity_id, is_default=True)
    earlier = timezone.now() - timedelta(minutes=5)
    check = mobile.send_code(number, by=by(WHO), now=earlier)
    type(check).objects.filter(pk=check.pk).update(state="verified", verified_at=earlier)
    mobile.use_for_login(number, by=by(WHO), now=earlier)
    OutboxMessage.objects.all().delete()
    client = Client()
    page = client.post(
        "/login/", {"username": PLAYS[WHO].username, "password": password(WHO)}, follow=True
    )
    assert page.redirect_chain[-1][0] == "/login/code/"
    html = page.content.decode()
    assert 'data-progress="waiting"' in html
    delivery.deliver(the_sms().pk, now=timezone.now())
    assert 'data-progress="handed_over"' in client.get("/login/code/").content.decode()
    again = client.post("/login/code/again/")
    assert 'data-code="too_soon"' in again.content.decode()
    assert OutboxMessage.objects.filter(channel=Channel.SMS).count() == 1


def test_the_phone_app_is_told():
    phone, who = new_phone(), PLAYS[WHO]
    started = phone.start(who.username, who.password)
    ask = {"activation": started["activation"]}
    with pytest.raises(Exception, match="code_over"):
        phone.call("POST", "activation/message", ask)
    phone.get_code(started)
    assert phone.call("POST", "activation/message", ask)["progress"] == "waiting"
    delivery.deliver(the_sms().pk, now=timezone.now())
    told = phone.call("POST", "activation/message", ask)
    assert told["progress"] == "handed_over"
    assert "not confirmed" in told["sentence"]


def test_every_progress_has_a_sentence():
    assert set(queries.SENTENCES) == set(queries.Progress)


def test_there_is_nothing_to_say_of_a_fact_that_nobody_was_told(django_assert_num_queries):
    user: User = person(WHO)
    with django_assert_num_queries(1):
        assert queries.standing(user=user, event="sms_code", fact="none") is None
