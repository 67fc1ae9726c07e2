"""A device suspended for all who share it, and resumed."""

import uuid
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from portal import audit
from portal.errors import Refused
from portal.models import AuditEvent, BrowserSession, OutboxMessage
from portal.outbox import rendering
from sls.devices import challenges
from sls.devices import operations as devices
from sls.models import Challenge, DeviceGrant, Purpose, SecurityDevice, ShareRequest, Suspension
from sls.suspension import operations, queries
from tests.conftest import NOW, LogIn, by, person, press
from tests.counting import counting
from tests.sls.test_admin import CARD, borrow, device_of

pytestmark = pytest.mark.usefixtures("on_stage")
LATER = NOW + timedelta(minutes=1)


def suspend(plays="owner", staff="support", now=NOW, **more):
    wanted = {"reason": "lost in the tram", "may_strand": True} | more
    return operations.suspend(device_of(plays), **wanted, by=by(staff), now=now)


def resume(plays="owner", staff="administrator", now=LATER):
    return operations.resume(device_of(plays), reason="found", by=by(staff), now=now)


def code_of(call, *args, **kwargs):
    with pytest.raises(Refused) as refused:
        call(*args, **kwargs)
    return refused.value.code


def state_of(serial):
    grant = DeviceGrant.objects.get(device__serial=serial, share__isnull=True)
    return grant.state, grant.confirmed


def test_suspending_stops_the_device_for_all_and_wakes_what_slept_for_it():
    borrow("owner", "requester")
    assert state_of(CARD) == ("dormant", False)
    row = suspend()
    assert device_of("owner").state == "suspended"
    assert state_of(CARD) == ("active", True)
    card = DeviceGrant.objects.get(device__serial=CARD)
    assert (row.awakened, row.reason, row.resumed_at) == ([card.pk], "lost in the tram", None)


@pytest.mark.parametrize("plays", ["administrator", "lead", "officer"])
def test_support_shuts_no_colleague_out(plays):
    assert code_of(suspend, plays) == "staff_username"
    assert device_of(plays).state == "active"
    assert suspend("lead", "administrator")


def test_what_sleeps_on_a_suspended_device_wakes_with_it():
    """Both devices suspended, the borrowed one revoked: the own one must not sleep for good."""
    borrow("owner", "requester")
    suspend("requester")
    suspend("owner")
    devices.revoke(
        device_of("owner"), reason="lost", by=by("administrator"), now=NOW, may_strand=True
    )
    resume("requester")
    assert state_of(CARD) == ("active", True)


def test_each_user_is_told_once_in_his_language_and_with_what_is_left():
    borrow("owner", "requester")
    type(person("owner")).objects.filter(pk=person("owner").pk).update(language="zh-hans")
    suspend()
    told = {row.user.username: row for row in OutboxMessage.objects.select_related("user")}
    assert set(told) == {"robin.savings", "robin.calder"}
    assert {row.event for row in told.values()} == {"device_suspended"}
    sent = {name: rendering.render(row).text for name, row in told.items()}
    assert "Security Code Card (SLS card)" in sent["robin.calder"]
    assert "临时码" in sent["robin.savings"]


def test_one_audit_group_names_the_reason_and_stands_in_every_history():
    borrow("owner", "requester")
    row = suspend()
    rows = AuditEvent.objects.filter(event="sls.device.suspended").order_by("number")
    assert [one.subject for one in rows] == ["", "robin.calder", "robin.savings"]
    assert {one.facts["group"] for one in rows} == {str(row.pk)}
    assert {one.facts["reason"] for one in rows} == {"lost in the tram"}
    assert rows[0].facts["users"] == ["robin.calder", "robin.savings"]
    assert list(audit.broken_rows()) == []


def test_an_open_question_dies_and_stays_dead_after_the_device_is_resumed():
    owner, device = person("owner"), device_of("owner")
    challenge = challenges.issue(
        user=owner, device=device, purpose=Purpose.LOGIN, session="s" * 64, now=NOW
    )
    right = press("owner", challenge.question)
    suspend(now=LATER)
    resume(now=LATER)
    challenge = Challenge.objects.select_related("device").get(pk=challenge.pk)
    with transaction.atomic():
        assert (
            code_of(
                challenges.answer,
                challenge,
                right,
                users=[owner],
                purpose=Purpose.LOGIN,
                session="s" * 64,
                now=LATER,
            )
            == "challenge_expired"
        )


def test_sessions_opened_with_it_end_and_stay_ended_and_others_go_on(log_in: LogIn):
    owner, other = log_in("owner"), log_in("requester")
    borrow("owner", "requester")  # his session was opened with his own card
    assert owner.get("/settings/").status_code == 200
    suspend(now=timezone.now())
    assert owner.get("/settings/").status_code == 302
    assert BrowserSession.objects.filter(user=person("requester")).count() == 1
    assert other.get("/settings/").wsgi_request.user.is_verified()
    resume(now=timezone.now())
    assert owner.get("/settings/").status_code == 302


def test_a_session_that_is_made_while_it_is_suspended_is_not_proven(log_in: LogIn):
    client = log_in("owner")
    SecurityDevice.objects.filter(pk=device_of("owner").pk).update(state="suspended")
    assert not client.get("/settings/").wsgi_request.user.is_verified()


def test_a_session_made_beside_the_suspension_is_not_verified_again_after_it(log_in: LogIn):
    client = log_in("owner")
    session = BrowserSession.objects.get(user=person("owner"))
    suspend(now=timezone.now())
    session.save(force_insert=True)  # the row of a login that was under way
    assert not client.get("/settings/").wsgi_request.user.is_verified()
    resume(now=timezone.now())
    assert client.get("/settings/").status_code == 302
    assert not BrowserSession.objects.filter(pk=session.pk).exists()


def test_wizards_for_the_device_end_and_requests_that_wait_stay():
    wizard, waiting = (
        borrow("owner", "no_device", "pending"),
        borrow("owner", "stranger", "pending"),
    )
    ShareRequest.objects.filter(pk=wizard.pk).update(state="proven")
    suspend()
    states = dict(ShareRequest.objects.values_list("pk", "state"))
    assert states == {wizard.pk: "cancelled", waiting.pk: "pending"}
    assert not OutboxMessage.objects.filter(user=person("stranger")).exists()


def test_resuming_puts_back_to_sleep_what_had_woken():
    borrow("owner", "requester")
    suspend()
    row = resume()
    assert device_of("owner").state == "active"
    assert state_of(CARD) == ("dormant", False)
    row = Suspension.objects.get(pk=row.pk)
    assert (row.resumed_by.username, row.resumed_at, row.resume_reason) == (
        "edda.root",
        LATER,
        "found",
    )
    assert OutboxMessage.objects.filter(event="device_resumed").count() == 2


def test_what_had_woken_stays_awake_for_a_user_whose_sharing_has_ended_meanwhile():
    share = borrow("owner", "requester")
    suspend()
    share.grant.state, share.grant.confirmed, share.grant.ended_at = "ended", False, NOW
    share.grant.save()
    resume()
    assert state_of(CARD) == ("active", True)


def test_it_is_suspended_once_and_resumed_once():
    suspend()
    assert code_of(suspend) == "device_not_active"
    resume()
    assert AuditEvent.objects.order_by("number").last().event == "sls.device.resumed"
    assert code_of(resume) == "device_not_suspended"
    assert Suspension.objects.count() == 1
    columns = {
        "device": device_of("owner"),
        "reason": "x",
        "suspended_by": person("support"),
        "suspended_at": NOW,
    }
    Suspension.objects.create(**columns)
    with pytest.raises(IntegrityError), transaction.atomic():
        Suspension.objects.create(**columns)


def test_the_last_way_in_is_taken_only_by_somebody_who_says_so():
    borrow("owner", "requester")
    assert code_of(suspend, may_strand=False) == "would_strand_users"
    assert AuditEvent.objects.last().facts["users"] == ["robin.savings"]
    assert device_of("owner").state == "active"
    assert not Suspension.objects.exists()


@pytest.mark.parametrize("plays", ["owner", "other_entity", "officer_client"])
def test_nobody_suspends_or_resumes_a_device_of_his_own_person(plays):
    assert code_of(suspend, plays, "officer_client") == "own_person"
    assert code_of(resume, plays, "officer_client") == "own_person"
    assert device_of(plays).state == "active"


def test_a_phone_is_frozen_instead():
    phone = SecurityDevice.objects.get(kind="ib_key")
    refused = code_of(operations.suspend, phone, reason="x", by=by("support"), now=NOW)
    assert refused == "freeze_the_phone"


def test_a_failing_audit_insert_leaves_nothing(monkeypatch):
    borrow("owner", "requester")
    monkeypatch.setattr(audit, "record", lambda **row: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        suspend()
    assert (device_of("owner").state, state_of(CARD)) == ("active", ("dormant", False))
    assert not Suspension.objects.exists()
    assert not OutboxMessage.objects.exists()


# --- The reach of a device -----------------------------------------------------------------------------


def test_the_reach_names_every_user_his_phones_and_what_he_has_left():
    borrow("owner", "requester")
    borrow("owner", "temporary_code")
    rows = queries.reach(device_of("owner").pk, now=timezone.now())
    found = [
        (r.affected.username, [one.serial for one in r.affected.left], r.has_only_what_ends)
        for r in rows
    ]
    assert found == [
        ("robin.savings", [], False),
        ("robin.calder", [CARD], False),
        ("robin.travel", ["DSC-30010055", "TMP-50010009"], False),
    ]


def test_the_reach_takes_two_queries_whatever_the_number_of_users():
    for borrower in ("requester", "no_device", "stranger"):
        borrow("owner", borrower)
        device = device_of("owner").pk
        with counting() as count:
            queries.reach(device, now=NOW)
        assert count.sql == 2, str(count)


def test_staff_suspend_and_resume_in_the_admin(log_in: LogIn):
    borrow("owner", "requester")
    support, root = log_in("support"), log_in("administrator")
    base = f"/admin/sls/suspension/device/{device_of('owner').pk}/"
    html = support.get(base + "reach/").content.decode()
    assert base + "suspend/" in html
    assert "robin.calder" in html
    assert support.post(base + "suspend/", {"reason": "lost"}).status_code == 409
    page = support.post(base + "suspend/", {"reason": "lost", "may_strand": "on"})
    assert (page.status_code, page.headers["Location"]) == (302, base + "reach/")
    assert "Suspended by cleo.harbour" in support.get(base + "reach/").content.decode()
    assert support.post(base + "resume/", {"reason": "found"}).status_code == 403
    assert root.post(base + "resume/", {"reason": "found"}).status_code == 302
    assert device_of("owner").state == "active"
    assert support.get(base + "suspend/?reason=x").status_code == 200
    assert device_of("owner").state == "active"


def test_a_device_that_does_not_exist_is_not_found(log_in: LogIn):
    nowhere = f"/admin/sls/suspension/device/{uuid.uuid4()}/"
    client = log_in("administrator")
    for page in ("reach/", "suspend/", "resume/"):
        assert client.get(nowhere + page).status_code == 404
