"""What staff do with phones and with logins that clients denied."""

import pytest

from portal.models import AuditEvent, OutboxMessage
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
