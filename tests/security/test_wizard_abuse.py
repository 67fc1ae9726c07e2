"""The share wizard under attack: abuse-cases.md E 82 to 116, through the pages."""

import json
import re
import uuid
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from portal import audit, throttle
from portal.models import AuditEvent, BrowserSession, OutboxMessage
from portal.sessions import SessionStore
from sls.devices import operations as devices
from sls.models import Challenge, ChallengeState, DeviceGrant, GrantState, ShareRequest, ShareState
from sls.sharing import completion
from tests.conftest import PLAYS, LogIn, by, password, person, press, question_on

pytestmark = pytest.mark.usefixtures("on_stage")
SHARE = "/settings/user/secure-login/share/"
TOKEN = re.compile(rb'name="csrfmiddlewaretoken" value="[^"]+"')
EXTRA = {
    "owner": "2",
    "device": str(uuid.uuid4()),
    "requester": "1",
    "requester_id": "1",
    "status": "approved",
    "state": "enforced",
    "auto": "1",
    "level": "99",
    "reasons": "[]",
}


def credentials(plays: str) -> dict[str, str]:
    return {"username": PLAYS[plays].username, "password": password(plays)}


def name_owner(client: Client, plays: str, **extra: str) -> tuple[str, str]:
    """The respond page's address, and the question on it."""
    page = client.post(SHARE, extra | credentials(plays), follow=True)
    return page.redirect_chain[-1][0], question_on(page.content.decode())


def prove(client: Client, plays: str) -> str:
    where, question = name_owner(client, plays)
    page = client.post(where, {"response": press(plays, question)})
    assert page.url.endswith("/review/")
    return page.url


def device_of(plays: str) -> str:
    """The last digits of his DSC+'s serial number, all that a page shows of it."""
    grant = DeviceGrant.objects.get(user=person(plays), device__kind="dsc_plus")
    return grant.device.serial_masked


def with_borrowed(plays: str, lender: str) -> Client:
    """The borrower's browser, logged in with the lender's device."""
    client = Client()
    page = client.post("/login/", credentials(plays), follow=True)
    where, question = page.redirect_chain[-1][0], question_on(page.content.decode())
    client.post(where, {"response": press(lender, question)})
    assert client.get("/").status_code == 200
    return client


def code_on(page) -> str:
    found = re.search(rb'data-code="([a-z_]+)"', page.content)
    return found[1].decode() if found else ""


def test_extra_fields_are_ignored_at_every_step(log_in: LogIn):
    """E 82."""
    client = log_in("requester")
    where, question = name_owner(client, "other_entity", **EXTRA)
    assert client.post(where, EXTRA | {"response": "00000000"}).status_code == 200
    review = client.post(where, EXTRA | {"response": press("other_entity", question)}).url
    client.post(review, EXTRA)
    share = ShareRequest.objects.get()
    assert share.state == ShareState.PENDING
    assert (share.requester, share.owner) == (person("requester"), person("other_entity"))
    assert share.reasons == ["other_entity"]


def test_a_second_tab_with_another_owner_voids_the_first_ones_proof(log_in: LogIn):
    """E 83."""
    client = log_in("requester")
    review = prove(client, "owner")
    second, question = name_owner(client, "other_entity")
    page = client.post(review, follow=True)
    assert 'data-status="cancelled"' in page.content.decode()
    assert not DeviceGrant.objects.filter(share__isnull=False).exists()
    # The first tab's old response page is no way around it either.
    page = client.post(second, {"response": press("owner", question)})
    assert code_on(page) == "invalid_response"
    assert set(ShareRequest.objects.values_list("state", flat=True)) == {"draft", "cancelled"}


@pytest.mark.parametrize(("seconds", "right"), [(179, True), (181, False)])
def test_a_response_is_good_for_180_seconds(log_in: LogIn, seconds: int, right: bool):
    client = log_in("requester")
    where, question = name_owner(client, "owner")
    now = timezone.now()
    Challenge.objects.filter(state="open").update(
        issued_at=now - timedelta(seconds=seconds),
        expires_at=now + timedelta(seconds=180 - seconds),
    )
    page = client.post(where, {"response": press("owner", question)})
    assert (ShareRequest.objects.get().state == ShareState.PROVEN) is right
    assert right or code_on(page) == "challenge_expired"


def test_a_review_page_left_open_starts_over(log_in: LogIn):
    """E 98."""
    client = log_in("requester")
    review = prove(client, "owner")
    ShareRequest.objects.update(expires_at=timezone.now())
    page = client.post(review, follow=True)
    assert 'data-status="expired"' in page.content.decode()
    assert not DeviceGrant.objects.filter(share__isnull=False).exists()


def test_every_kind_of_wrong_owner_is_the_same_page_byte_for_byte(log_in: LogIn):
    """E 86 b and E 88: unknown, wrong, inactive, locked."""
    client = log_in("requester")
    owner = person("owner")
    pages = [_refusal_page(client, owner.username, "not it")]
    pages.append(_refusal_page(client, "robin.savingz", "not it"))
    owner.is_active = False
    owner.save()
    pages.append(_refusal_page(client, owner.username, password("owner")))
    owner.is_active = True
    owner.save()
    for _ in range(throttle.SECOND_FACTOR_OF_USER.size):
        throttle.spend([(throttle.SECOND_FACTOR_OF_USER, owner.username)], now=timezone.now())
    pages.append(_refusal_page(client, owner.username, password("owner")))
    assert len(set(pages)) == 1


def _refusal_page(client: Client, name: str, typed: str):
    page = client.post(SHARE, {"username": name, "password": typed})
    assert code_on(page) == "invalid_credentials"
    body = TOKEN.sub(b"", page.content).replace(name.encode(), b"NAME")
    return page.status_code, body, tuple(sorted(page.cookies))


def test_a_wrong_response_is_the_same_page_for_every_owner(log_in: LogIn):
    """E 86 a: no oracle for identity, level or temporary device before the proof."""
    client = log_in("requester")
    pages = set()
    for owner in ("other_entity", "stranger", "temporary_code", "outdated_document"):
        where, question = name_owner(client, owner)
        page = client.post(where, {"response": "0000000a"})
        assert code_on(page) == "invalid_response"
        body = TOKEN.sub(b"", page.content).replace(where.encode(), b"WHERE")
        body = re.sub(
            rb'share/[0-9a-f-]{36}|datetime="[^"]+"|data-[a-z-]+="[0-9T:.+Z-]+"', b"", body
        )
        body = re.sub(rb"\.[0-9a-f]{12}\.", b".", body)  # of static files: digits like any others
        for digits in (question, question[:3], question[3:], device_of(owner)):
            body = body.replace(digits.encode(), b"")
        pages.add(
            re.sub(rb"\b\d?\d:\d\d\b", b"", body).replace(PLAYS[owner].username.encode(), b"N")
        )
    assert len(pages) == 1


def test_username_and_password_swapped_are_just_wrong(log_in: LogIn):
    client = log_in("requester")
    right = credentials("owner")
    page = client.post(SHARE, {"username": right["password"], "password": right["username"]})
    assert code_on(page) == "invalid_credentials"
    assert right["password"] not in str(
        list(AuditEvent.objects.values_list("facts", "actor", "subject"))
    )


@pytest.mark.parametrize("way", ["log_out", "session_gone", "other_user", "new_browser"])
def test_nothing_is_carried_over_to_another_session(log_in: LogIn, way: str):
    """E 97."""
    client = log_in("requester")
    review = prove(client, "owner")
    if way == "log_out":
        client.post("/logout/")
    if way == "session_gone":
        BrowserSession.objects.all().delete()
    assert way in ("new_browser", "other_user") or client.get(review).status_code == 302
    other = log_in("stranger" if way == "other_user" else "requester")
    page = other.post(review, follow=True)
    assert page.status_code in (200, 404)
    assert not ShareRequest.objects.filter(state=ShareState.ENFORCED).exists()
    assert not DeviceGrant.objects.filter(share__isnull=False).exists()


def test_a_question_asked_in_one_session_is_not_answered_in_another(log_in: LogIn):
    """B 23."""
    where, question = name_owner(log_in("requester"), "owner")
    page = log_in("requester").post(where, {"response": press("owner", question)})
    assert code_on(page) == "challenge_expired"
    assert ShareRequest.objects.get().state == ShareState.DRAFT


def test_sessions_and_rows_never_hold_password_response_or_document(log_in: LogIn):
    """E 110: every row of every table of ours, decoded, after every step."""
    client = log_in("requester")
    secrets = {password("owner"), password("requester"), "LX 204-7713", "LX2047713"}
    where, question = name_owner(client, "owner")
    secrets.add(press("owner", question))
    _assert_nowhere(secrets)
    review = client.post(where, {"response": press("owner", question)}).url
    _assert_nowhere(secrets)
    client.post(review)
    _assert_nowhere(secrets)


def _assert_nowhere(secrets: set[str]) -> None:
    sessions = [SessionStore(row.session_key).load() for row in BrowserSession.objects.all()]
    assert sessions
    written = json.dumps(sessions, default=str)
    for model in (ShareRequest, Challenge, AuditEvent, OutboxMessage, DeviceGrant):
        written += str(list(model.objects.values()))
    assert [secret for secret in secrets if secret in written] == []


@pytest.mark.parametrize("page", ["respond", "review", "status", "withdraw", "cancel"])
def test_somebody_elses_request_does_not_exist(log_in: LogIn, page: str):
    """E 113."""
    where, _question = name_owner(log_in("requester"), "owner")
    other = log_in("stranger")
    address = where.replace("respond", page)
    missing = f"{SHARE}{uuid.uuid4()}/{page}/"
    for path in (address, missing):
        answer = other.post(path) if page == "withdraw" else other.get(path)
        assert answer.status_code == 404, path
    assert ShareRequest.objects.get().state == ShareState.DRAFT


def test_the_owner_cannot_walk_the_requesters_steps(log_in: LogIn):
    review = prove(log_in("requester"), "owner")
    assert log_in("owner").post(review).status_code == 404
    assert ShareRequest.objects.get().state == ShareState.PROVEN


@pytest.mark.parametrize("step", ["start", "answer", "submit"])
def test_an_exception_half_way_leaves_nothing(log_in: LogIn, monkeypatch, step: str):
    client = log_in("requester")
    client.raise_request_exception = False
    where = review = ""
    if step != "start":
        where, question = name_owner(client, "owner")
    if step == "submit":
        review = client.post(where, {"response": press("owner", question)}).url
    before = _state()
    monkeypatch.setattr(audit, "record", lambda **row: 1 / 0)
    if step == "start":
        page = client.post(SHARE, credentials("owner"))
    elif step == "answer":
        page = client.post(where, {"response": press("owner", question)})
    else:
        page = client.post(review)
    assert page.status_code == 500
    assert b"Traceback" not in page.content
    assert b"ZeroDivision" not in page.content
    assert _state() == before


def _state():
    return (
        sorted(ShareRequest.objects.values_list("pk", "state")),
        sorted(Challenge.objects.values_list("pk", "state")),
        sorted(DeviceGrant.objects.values_list("pk", "state")),
        OutboxMessage.objects.count(),
    )


def test_a_revoked_device_is_gone_for_its_borrower_at_once(log_in: LogIn):
    """E 104: grants, open questions, and the sessions opened with it."""
    client = log_in("requester")
    client.post(prove(client, "owner"))
    borrower = with_borrowed("requester", "owner")
    half = Client()
    page = half.post("/login/", credentials("owner"), follow=True)
    question = question_on(page.content.decode())
    device = DeviceGrant.objects.get(share__isnull=False).device
    devices.revoke(device, reason="lost", may_strand=True, by=by("support"), now=timezone.now())
    assert borrower.get(SHARE).status_code == 302
    half.post("/login/challenge/", {"response": press("owner", question)})
    assert half.get("/").status_code == 302
    states = DeviceGrant.objects.filter(device=device).values_list("state", flat=True)
    assert set(states) == {GrantState.ENDED}
    assert not Challenge.objects.filter(
        device=device, state=ChallengeState.ANSWERED, purpose="login", user=person("owner")
    ).exists()


def test_a_session_opened_with_a_lost_device_is_no_session_of_a_new_user(log_in: LogIn):
    """E 104: who loses his only device has not become somebody who never had one."""
    client = log_in("no_device")
    client.post(prove(client, "owner"))
    borrower = with_borrowed("no_device", "owner")
    assert borrower.get(SHARE).status_code == 200
    share = ShareRequest.objects.get()
    completion.undo(completion.undo_token(share), by=by("owner"), now=timezone.now())
    assert borrower.get(SHARE).status_code == 302
    page = borrower.post(SHARE, credentials("owner"))
    assert page.status_code == 302
    assert "/respond/" not in page.url
