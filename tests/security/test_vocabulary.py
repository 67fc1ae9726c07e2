"""
One action, one audit row that says who, whom, what, from where and when: abuse-cases.md H 166. Here are the
events that no journey asserts on its way.
"""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from portal import audit
from portal.models import AuditEvent
from sls.activation.operations import cancel_token
from sls.models import DeviceGrant, LoginPrompt, PhoneActivation
from sls.phone import operations as phones
from sls.sharing import completion
from tests.conftest import NOW, PLAYS, by, password, person, press
from tests.handset import PIN, code_sent_to, demo_phone
from tests.journeys.test_sms_codes import MOBILE, newest_code, number
from tests.sls.activation.test_api import begun, refused
from tests.sls.phone.test_api import log_in as wait_for_phone
from tests.sls.phone.test_push import subscription
from tests.sls.sharing.test_operations import finish

pytestmark = pytest.mark.usefixtures("on_stage")
ADDRESS = "127.0.0.1"


@pytest.fixture(autouse=True)
def _chain_holds(on_stage):
    yield
    assert list(audit.broken_rows()) == []


def only(event: str, *, actor: str, subject: str, is_web: bool = True, **facts) -> AuditEvent:
    """The one row of this event; `facts` are among its own. Names are parts of the demo."""
    row = AuditEvent.objects.get(event=event)
    assert row.actor == (PLAYS[actor].username if actor else "")
    assert row.subject == (PLAYS[subject].username if subject else "")
    assert "refused" not in row.facts
    assert {name: row.facts.get(name) for name in facts} == facts
    assert row.at.utcoffset() == timedelta(0)
    if is_web:
        assert (row.address, len(row.request_id)) == (ADDRESS, 36)
        assert timezone.now() - row.at < timedelta(minutes=1)
    else:
        assert (row.address, row.request_id, row.at) == ("192.0.2.7", "r", NOW)
    return row


# --- Staff --------------------------------------------------------------------------------------------


def test_unlocking_a_username(log_in):
    client = log_in("support")
    page = f"/admin/portal/user/{person('owner').pk}"
    client.post(f"{page}/lock/", {"reason": "called"})
    client.post(f"{page}/unlock/", {"reason": "called back"})
    only("portal.user.locked", actor="support", subject="owner", reason="called")
    only("portal.user.unlocked", actor="support", subject="owner", reason="called back")


# --- Login --------------------------------------------------------------------------------------------


def test_choosing_another_device_for_a_login(log_in):
    who = PLAYS["phone_user"]
    grant = DeviceGrant.objects.get(user=person("phone_user"))
    client = Client()
    client.post("/login/", {"username": who.username, "password": who.password})
    client.post("/login/choose/", {"grant": grant.pk})
    row = only("sls.login.challenged", actor="", subject="phone_user")
    begun_row = AuditEvent.objects.get(event="sls.login.begun")
    assert row.facts["login"] == begun_row.facts["login"]


def test_a_code_to_a_mobile_number_and_its_use_for_the_login(log_in):
    client = log_in("no_device")
    client.post(f"{MOBILE}{number().pk}/verify/")
    only("sls.number.asked", actor="no_device", subject="no_device")
    client.post(MOBILE + "code/", {"response": newest_code()})
    client.post(f"{MOBILE}{number().pk}/use/")
    row = only("sls.sms.started", actor="no_device", subject="no_device")
    assert number().e164 not in str(row.facts)


# --- Shares -------------------------------------------------------------------------------------------


def test_a_pending_share_that_is_withdrawn():
    share = finish(owner="other_entity")
    facts = {"share": str(share.pk), "is_web": False, "actor": "requester"}
    row = AuditEvent.objects.get(event="sls.share.submitted")
    assert (row.actor, row.subject) == (share.requester.username, share.owner.username)
    completion.withdraw(share, by=by("requester"), now=NOW)
    only("sls.share.withdrawn", subject="other_entity", **facts)


def test_a_share_that_is_cancelled():
    share = finish()
    completion.cancel(share, by=by("owner"), now=NOW)
    row = AuditEvent.objects.get(event="sls.share.cancelled")
    assert (row.actor, row.facts["share"]) == ("robin.savings", str(share.pk))


# --- Activating a phone -------------------------------------------------------------------------------


def test_another_device_is_asked_and_agrees():
    phone, started = begun("owner")
    (device,) = started["agreement"]["devices"]
    asked = phone.ask(started, device["id"])
    only("sls.phone.device_asked", actor="", subject="owner")
    phone.agree(started, press("owner", asked["question"]))
    only("sls.phone.device_agreed", actor="", subject="owner", device="•••0017")


def test_a_waiting_activation_that_its_link_ends(client):
    phone, started = begun("phone_user")
    phone.get_code(started)
    code = code_sent_to(PLAYS["phone_user"].username)
    phone.activate(started, code, "g7#Qz", accepts_wait=True)
    only("sls.phone.activation_waiting", actor="", subject="phone_user")
    client.post(f"/phone/activation/cancel/{cancel_token(PhoneActivation.objects.get())}/")
    only("sls.phone.activation_cancelled", actor="", subject="phone_user", by_link=True)


# --- The phone ----------------------------------------------------------------------------------------


def test_a_new_pin_and_a_wrong_old_one():
    phone = demo_phone()
    refused(phone.change_pin, PIN + "0", "uW3!k")
    proof = AuditEvent.objects.get(event="sls.phone.proof")
    assert (proof.facts["refused"], proof.facts["phone"]) == ("wrong_pin", phone.phone)
    phone.change_pin(PIN, "uW3!k")
    changed = only("sls.phone.pin_changed", actor="", subject="phone_user")
    assert changed.facts["phone"] == phone.phone
    assert "uW3!k" not in str([row.facts for row in AuditEvent.objects.all()])


def test_push_messages_of_a_phone(settings):
    settings.PUSH_TO_LOOPBACK = True
    phone = demo_phone()
    address = "http://127.0.0.1:9/push/secret-path"
    phone.call("PUT", "push", subscription(address), signed_as=phone.phone)
    row = only("sls.phone.push_changed", actor="", subject="", phone=phone.phone)
    assert "secret-path" not in str(row.facts)


def test_seamless_authentication():
    phones.set_seamless(person("phone_user"), is_on=False, by=by("phone_user"), now=NOW)
    facts = {"is_on": False, "is_web": False}
    only("sls.phone.seamless_changed", actor="phone_user", subject="phone_user", **facts)


def test_a_notification_sent_again_and_cancelled():
    client, _number = wait_for_phone()
    LoginPrompt.objects.update(sent_at=timezone.now() - timedelta(seconds=31))
    client.post("/login/push/", {"again": "1"})
    only("sls.prompt.resent", actor="", subject="phone_user")
    phone = demo_phone()
    (prompt,) = phone.waiting()
    phone.decide(prompt, "cancel")
    only("sls.prompt.cancelled", actor="", subject="phone_user")


def test_a_wrong_password_is_a_row_too_and_names_nobody_as_actor():
    Client().post("/login/", {"username": PLAYS["owner"].username, "password": "not it"})
    row = AuditEvent.objects.get(event="sls.login.begun")
    assert (row.actor, row.address) == ("", ADDRESS)
    assert row.facts["refused"] == "invalid_credentials"
    assert password("owner") not in str(row.facts)
