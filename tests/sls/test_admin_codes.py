"""
Staff's pages for Temporary Codes, and every way around them that staff might try (abuse-cases.md F 134).
"""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from portal.models import AuditEvent
from sls.models import DeviceGrant, TemporaryCodeRequest
from sls.temporary_code import operations, queries
from tests.conftest import LogIn, by, person
from tests.sls.test_admin import allow

LIST = "/admin/sls/temporarycoderequest/"
ASK = LIST + "request/"
WANTED = {
    "username": "tamsin.orrery",
    "identity_check": "call_back",
    "identity_note": "Called back on the number on record.",
    "reason": "DSC+ left at home",
}


@pytest.fixture
def support(log_in: LogIn) -> Client:
    return log_in("support")


@pytest.fixture
def officer(log_in: LogIn) -> Client:
    return log_in("officer")


def asked(**more) -> TemporaryCodeRequest:
    what = WANTED | {"by": by("support"), "now": timezone.now()} | more
    return operations.request(**what)


def confirmed() -> TemporaryCodeRequest:
    request = asked()
    operations.confirm(queries.request(request.pk), by=by("officer"), now=timezone.now())
    return request


def page(request, name):
    return f"{LIST}{request.pk}/{name}/"


def state_of(request):
    return TemporaryCodeRequest.objects.get(pk=request.pk).state


def refusal_on(answer):
    assert answer.status_code == 409
    return re.search(r'data-code="(\w+)"', answer.content.decode())[1]


def codes():
    return DeviceGrant.objects.filter(
        user=person("stranger"), device__kind="temporary_code", state="active"
    )


def test_two_members_of_staff_issue_a_code_and_the_client_logs_in_with_it(support, officer):
    assert "Ask for a Temporary Code" in support.get(LIST).content.decode()
    assert support.post(ASK, WANTED).url == LIST
    request = TemporaryCodeRequest.objects.get()
    assert page(request, "decide") in officer.get(f"{LIST}{request.pk}/change/").content.decode()
    html = officer.get(page(request, "decide")).content.decode()
    assert "Called back on the number on record." in html
    assert officer.post(page(request, "decide"), {"confirm": "1"}).url == LIST
    assert page(request, "reveal") in support.get(f"{LIST}{request.pk}/change/").content.decode()
    assert "temporary-code" not in support.get(page(request, "reveal")).content.decode()
    html = support.post(page(request, "reveal")).content.decode()
    code = re.search(r'id="temporary-code">([A-Z2-9]{4} [A-Z2-9]{4})<', html)[1]
    client = Client()
    client.post("/login/", {"username": "tamsin.orrery", "password": "tamsin.orrery-Demo-2026"})
    client.post("/login/choose/", {"grant": codes().get().pk})
    assert client.post("/login/code/", {"response": code}).url == "/"


def test_a_second_look_shows_nothing(support):
    request = confirmed()
    assert support.post(page(request, "reveal")).status_code == 200
    answer = support.post(page(request, "reveal"))
    assert refusal_on(answer) == "code_request_over"
    assert "temporary-code" not in answer.content.decode()
    assert codes().count() == 1


def test_reading_and_deciding_are_no_gets(support, officer):
    request = asked()
    officer.get(page(request, "decide") + "?confirm=1")
    assert state_of(request) == "requested"
    request = confirmed_again(request)
    support.get(page(request, "reveal"))
    assert state_of(request) == "confirmed"


def confirmed_again(request):
    operations.confirm(queries.request(request.pk), by=by("officer"), now=timezone.now())
    return request


def test_a_declined_request_is_over(support, officer):
    request = asked()
    assert officer.post(page(request, "decide"), {"decline": "1"}).url == LIST
    assert state_of(request) == "declined"
    assert refusal_on(support.post(page(request, "reveal"))) == "code_request_over"


def test_who_may_do_both_still_cannot_confirm_his_own(log_in):
    allow("support", "request_temporary_code", "confirm_temporary_code")
    request = asked()
    answer = log_in("support").post(page(request, "decide"), {"confirm": "1"})
    assert refusal_on(answer) == "same_staff"
    assert state_of(request) == "requested"


@pytest.mark.parametrize("client", ["robin.desk", "robin.calder", "robin.trust"])
def test_nobody_asks_or_confirms_for_his_own_person(log_in, client):
    allow("officer_client", "request_temporary_code")
    staff = log_in("officer_client")
    assert refusal_on(staff.post(ASK, WANTED | {"username": client})) == "own_person"
    request = asked(username=client, by=by("administrator"))
    assert refusal_on(staff.post(page(request, "decide"), {"confirm": "1"})) == "own_person"
    assert state_of(request) == "requested"
    assert AuditEvent.objects.filter(facts__refused="own_person").count() == 2


def test_even_the_administrator_does_not_read_out_a_colleagues_code(log_in):
    request = confirmed()
    assert refusal_on(log_in("administrator").post(page(request, "reveal"))) == "not_the_maker"
    assert not codes().exists()


def test_without_the_permission_nothing_answers(log_in, support, officer):
    request = asked()
    assert support.post(page(request, "decide"), {"confirm": "1"}).status_code == 403
    assert officer.get(ASK).status_code == 403
    assert officer.post(ASK, WANTED).status_code == 403
    auditor = log_in("auditor")
    for where in (ASK, page(request, "decide"), page(request, "reveal")):
        assert auditor.post(where, {"confirm": "1"}).status_code == 403
    client = log_in("stranger")
    for where in (LIST, ASK, page(request, "decide"), page(request, "reveal")):
        assert client.post(where).status_code == 302
    assert state_of(request) == "requested"


def test_a_permission_withdrawn_counts_on_the_next_click(support):
    request = confirmed()
    person("support").groups.clear()
    assert support.post(page(request, "reveal")).status_code == 403
    assert not codes().exists()


@pytest.mark.parametrize("act", ["request", "decide", "reveal"])
def test_every_act_asks_for_a_fresh_proof_of_the_device(log_in, act):
    allow("support", "request_temporary_code", "confirm_temporary_code")
    client = log_in("support")
    session = client.session
    session["proven_at"] = (timezone.now() - timedelta(minutes=6)).isoformat()
    session.save()
    where = ASK if act == "request" else page(confirmed(), act)
    answer = client.post(where, WANTED)
    assert answer.url.startswith("/login/confirm/?next=")
    assert not codes().exists()


def test_everything_must_be_recorded(support):
    for missing in WANTED:
        answer = support.post(ASK, WANTED | {missing: " "})
        assert answer.status_code == 200
        assert missing in answer.context["form"].errors
    assert support.post(ASK, WANTED | {"identity_check": "believed"}).status_code == 200
    assert not TemporaryCodeRequest.objects.exists()


def test_rows_are_neither_added_changed_nor_deleted_by_hand(log_in):
    root = log_in("administrator")
    request = asked()
    assert root.post(LIST + "add/").status_code == 403
    assert root.post(f"{LIST}{request.pk}/delete/", {"post": "yes"}).status_code == 403
    assert root.post(f"{LIST}{request.pk}/change/", {"state": "confirmed"}).status_code == 403
    assert state_of(request) == "requested"


def test_a_request_that_does_not_exist_is_not_found(support):
    where = f"{LIST}00000000-0000-0000-0000-000000000007/reveal/"
    assert support.post(where).status_code == 404


def test_the_client_reads_each_step_in_his_history(log_in, support):
    request = confirmed()
    support.post(page(request, "reveal"))
    html = log_in("stranger").get("/settings/user/history/").content.decode()
    for words in (
        "Client Services prepared a Temporary Code",
        "A second member of staff confirmed the Temporary Code",
        "Client Services read a Temporary Code out",
    ):
        assert words in html
