"""What staff do with phones and with logins that clients denied."""

import pytest
from django.contrib.auth import SESSION_KEY
from django_otp import DEVICE_ID_SESSION_KEY

from portal.models import AuditEvent, BrowserSession, OutboxMessage
from portal.sessions import SessionStore
from sls.models import Phone, PhoneUser, PromptReport
from tests.conftest import person
from tests.handset import demo_phone
from tests.sls.phone.test_api import log_in as wait_for_phone
from tests.sls.phone.test_api import refused

pytestmark = pytest.mark.usefixtures("on_stage")


def page_of(action: str) -> str:
    return f"/admin/sls/phone/{Phone.objects.get().pk}/{action}/"


@pytest.mark.parametrize("action", ["freeze", "thaw", "disable"])
def test_who_has_no_permission_finds_no_page(log_in, action):
    client = log_in("officer")
    assert client.get(page_of(action)).status_code == 403
    assert client.post(page_of(action), {"reason": "x"}).status_code == 403
    assert Phone.objects.get().state == "active"


def test_support_freezes_thaws_and_disables(log_in):
    client = log_in("support")
    assert client.get("/admin/sls/phone/").status_code == 200
    assert client.get(page_of("freeze")).status_code == 200
    assert client.post(page_of("freeze"), {"reason": "lost"}).status_code == 409  # her last way in
    assert Phone.objects.get().state == "active"
    assert client.post(page_of("freeze"), {"reason": "lost", "may_strand": "on"}).status_code == 302
    assert refused(demo_phone().waiting).code == "phone_frozen"
    assert client.post(page_of("thaw"), {"reason": "found"}).status_code == 302
    assert demo_phone().waiting() == []
    assert (
        client.post(page_of("disable"), {"reason": "lost for good", "may_strand": "on"}).status_code
        == 302
    )
    assert refused(demo_phone().waiting).code == "phone_retired"
    assert not PhoneUser.objects.filter(is_active=True).exists()
    grant = person("phone_user").grants.get()
    assert (grant.state, grant.device.state) == ("ended", "revoked")
    told = OutboxMessage.objects.filter(user=person("phone_user"), event__startswith="phone_")
    assert {row.event for row in told} == {"phone_frozen", "phone_thawed", "phone_disabled"}
    events = AuditEvent.objects.filter(subject="mei.lantern", actor="cleo.harbour")
    assert {"sls.phone.frozen", "sls.phone.thawed", "sls.phone.retired"} <= {
        row.event for row in events
    }


def test_a_reason_is_needed(log_in):
    client = log_in("support")
    assert client.post(page_of("freeze"), {"reason": ""}).status_code == 200
    assert Phone.objects.get().state == "active"


def test_a_frozen_phones_sessions_end_and_do_not_come_back(log_in):
    client, mei = log_in("support"), person("phone_user")
    session = SessionStore()
    session[SESSION_KEY], session[DEVICE_ID_SESSION_KEY] = mei.pk, mei.grants.get().persistent_id
    session.create()
    opened = BrowserSession.objects.get(user=mei)
    client.post(page_of("freeze"), {"reason": "lost", "may_strand": "on"})
    assert not BrowserSession.objects.filter(user=mei).exists()
    opened.save(force_insert=True)  # it came to be beside the freezing
    client.post(page_of("thaw"), {"reason": "found"})
    assert not BrowserSession.objects.filter(user=mei).exists()


def test_nobody_freezes_a_phone_of_his_own_person_or_of_staff_by_the_desk(log_in):
    mei = person("phone_user")
    client = log_in("support")
    type(mei).objects.filter(pk=mei.pk).update(is_staff=True)
    answer = client.post(page_of("freeze"), {"reason": "x", "may_strand": "on"})
    assert 'data-code="staff_username"' in answer.content.decode()
    type(mei).objects.filter(pk=person("support").pk).update(entity=mei.entity)
    answer = client.post(page_of("freeze"), {"reason": "x", "may_strand": "on"})
    assert 'data-code="own_person"' in answer.content.decode()
    assert Phone.objects.get().state == "active"


def test_nobody_thaws_or_disables_a_phone_of_his_own_person(log_in):
    mei = person("phone_user")
    type(mei).objects.filter(pk=person("support").pk).update(entity=mei.entity)
    client = log_in("support")
    assert client.post(page_of("disable"), {"reason": "mine"}).status_code == 409
    assert Phone.objects.get().state == "active"


def test_support_closes_the_case_of_a_denied_login_once(log_in):
    wait_for_phone()
    phone = demo_phone()
    (prompt,) = phone.waiting()
    phone.decide(prompt, "deny")
    report = PromptReport.objects.get()
    client = log_in("support")
    assert client.get("/admin/sls/promptreport/").status_code == 200
    url = f"/admin/sls/promptreport/{report.pk}/handle/"
    assert client.get(url).status_code == 200
    assert client.post(url, {"reason": "called back"}).status_code == 302
    report.refresh_from_db()
    assert (report.handled_by, report.note) == (person("support"), "called back")
    client.post(url, {"reason": "again"})
    report.refresh_from_db()
    assert report.note == "called back"
    assert AuditEvent.objects.filter(event="sls.prompt.report_handled").count() == 1
    type(report).objects.update(handled_by=None, handled_at=None)
    entity = person("phone_user").entity
    type(report.user).objects.filter(pk=person("support").pk).update(entity=entity)
    assert client.post(url, {"reason": "mine"}).status_code == 409
    assert AuditEvent.objects.order_by("number").last().facts["refused"] == "own_person"


def test_a_user_switches_seamless_authentication_off_and_no_prompt_is_sent(log_in):
    from sls.models import LoginPrompt
    from sls.phone import operations
    from tests.conftest import NOW, by

    operations.set_seamless(person("phone_user"), is_on=False, by=by("phone_user"), now=NOW)
    from django.test import Client

    from tests.conftest import PLAYS

    who = PLAYS["phone_user"]
    page = Client().post("/login/", {"username": who.username, "password": who.password})
    assert page.url == "/login/challenge/"
    assert not LoginPrompt.objects.exists()
