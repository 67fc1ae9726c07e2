"""Staff lock and unlock a username, through the admin."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.utils import timezone

from portal import accounts, audit, throttle
from portal.models import Allowance, AuditEvent, BrowserSession, Entity, OutboxMessage
from sls.demo import operations as demo
from tests.conftest import NOW, PLAYS, LogIn, by, password, person, press, question_on, use_up

pytestmark = pytest.mark.usefixtures("on_stage")
OWNER = PLAYS["owner"].username


def page_of(plays, what):
    return f"/admin/portal/user/{person(plays).pk}/{what}/"


def lock(plays="owner", staff="support", what=accounts.lock):
    return what(person(plays), reason="called us", by=by(staff), now=NOW)


def with_password():
    client = Client()
    form = {"username": OWNER, "password": password("owner")}
    return client, client.post("/login/", form, follow=True)


def is_refused(page):
    return b'data-code="invalid_credentials"' in page.content


def test_support_locks_and_unlocks_in_the_admin(log_in: LogIn):
    client, support = log_in("owner"), log_in("support")
    page = support.get(f"/admin/portal/user/{person('owner').pk}/change/")
    assert page_of("owner", "lock") in page.content.decode()
    assert support.get(page_of("owner", "lock")).status_code == 200
    assert client.get("/").status_code == 200

    assert support.post(page_of("owner", "lock"), {"reason": "stolen laptop"}).status_code == 302

    assert client.get("/").status_code == 302
    assert not BrowserSession.objects.filter(user=person("owner")).exists()
    assert is_refused(with_password()[1])
    assert is_refused(client.post("/login/", {"username": OWNER, "password": password("owner")}))
    row = AuditEvent.objects.get(event="portal.user.locked")
    assert (row.actor, row.subject) == (PLAYS["support"].username, OWNER)
    assert row.facts == {"reason": "stolen laptop"}

    for limit in (throttle.PASSWORD_OF_NAME, throttle.SECOND_FACTOR_OF_USER):
        use_up(limit, OWNER, timezone.now())
    support.post(page_of("owner", "unlock"), {"reason": "identity checked"})

    assert not Allowance.objects.filter(key=OWNER).exists()
    _client, page = with_password()
    assert page.redirect_chain[-1][0] == "/login/challenge/"
    events = OutboxMessage.objects.filter(user=person("owner")).values_list("event", flat=True)
    assert {"user_locked", "user_unlocked"} <= set(events)
    history = log_in("owner").get("/settings/user/history/").content.decode()
    assert "Our staff locked your username" in history
    assert "Our staff unlocked your username" in history
    assert "stolen laptop" not in history


def test_a_login_half_done_and_a_wizard_end_too(log_in: LogIn):
    client, page = with_password()
    lock()
    response = press("owner", question_on(page.content.decode()))
    client.post("/login/challenge/", {"response": response})
    assert client.get("/").status_code == 302


def test_a_session_opened_at_the_very_moment_is_refused_too(log_in: LogIn):
    client = log_in("owner")
    user = person("owner")
    user.locked_at = NOW
    user.save()  # and nobody deleted the session
    assert client.get("/").status_code == 302
    client = Client()
    client.force_login(user, backend="portal.backends.EntityBackend")
    assert client.get("/").status_code == 302


@pytest.mark.parametrize("what", ["lock", "unlock"])
def test_a_reason_is_required(log_in: LogIn, what):
    support = log_in("support")
    assert support.post(page_of("owner", what), {"reason": " "}).status_code == 200
    assert not AuditEvent.objects.filter(event__startswith="portal.user").exists()


@pytest.mark.parametrize("what", ["lock", "unlock"])
def test_without_the_permission_nobody_locks(log_in: LogIn, what):
    Group.objects.get(name="Support").permissions.clear()
    for plays in ("support", "officer", "owner"):
        client = log_in(plays)
        assert client.post(page_of("stranger", what), {"reason": "x"}).status_code in (302, 403)
    assert person("stranger").locked_at is None
    assert not AuditEvent.objects.filter(event__startswith="portal.user").exists()


@pytest.mark.parametrize("what", [accounts.lock, accounts.unlock])
@pytest.mark.parametrize("whose", ["own", "own person", "other staff"])
def test_nobody_decides_about_himself_his_person_or_other_staff(what, whose):
    user = person({"own": "support", "own person": "owner", "other staff": "officer"}[whose])
    if whose == "own person":
        mine = person("support").entity
        for field in Entity._meta.concrete_fields:
            if field.name not in ("id", "name"):
                setattr(user.entity, field.attname, getattr(mine, field.attname))
        user.entity.save()
    with pytest.raises(accounts.Refused) as refused:
        what(user, reason="x", by=by("support"), now=NOW)
    assert refused.value.code == ("staff_username" if whose == "other staff" else "own_person")
    assert AuditEvent.objects.last().facts == {"refused": refused.value.code}
    assert not OutboxMessage.objects.exists()


def test_the_admin_shows_the_refusal(log_in: LogIn):
    page = log_in("support").post(page_of("support", "lock"), {"reason": "x"})
    assert page.status_code == 409
    assert 'data-code="own_person"' in page.content.decode()


@pytest.mark.parametrize("what", ["lock", "unlock"])
def test_a_username_is_locked_and_unlocked_after_a_fresh_proof_only(log_in: LogIn, settings, what):
    client = log_in("support")
    settings.PROOF_STAYS_FRESH = timedelta(0)
    answer = client.post(page_of("owner", what), {"reason": "x"})
    assert answer.status_code == 302
    assert answer["Location"].startswith("/login/confirm/")
    assert person("owner").locked_at is None


def test_an_administrator_locks_staff():
    assert lock("officer", "administrator")
    assert person("officer").locked_at == NOW


def test_a_second_lock_says_so_and_tells_nobody_again():
    assert lock()
    assert not lock()
    assert OutboxMessage.objects.filter(event="user_locked").count() == 1


def test_a_failing_audit_insert_leaves_nothing(monkeypatch, log_in: LogIn):
    log_in("owner")
    monkeypatch.setattr(audit, "record", lambda **row: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        lock()
    assert person("owner").locked_at is None
    assert BrowserSession.objects.filter(user=person("owner")).exists()
    assert not OutboxMessage.objects.filter(event="user_locked").exists()


def test_the_demos_support_may_lock():
    demo.recreate(now=NOW)
    assert person("support").has_perm("portal.lock_user")
    assert Permission.objects.filter(codename="lock_user").exists()


def test_a_session_that_came_to_be_beside_the_lock_ends_with_the_unlock(log_in: LogIn):
    client = log_in("owner")
    rows = list(BrowserSession.objects.filter(user=person("owner")))
    lock()
    for row in rows:  # its transaction was a moment later than that of the lock
        row.save(force_insert=True)
    lock(what=accounts.unlock)
    assert client.get("/settings/account/").status_code == 302


def test_unlocks_are_bounded_for_each_member_of_staff():
    use_up(throttle.UNLOCKS_BY_STAFF, PLAYS["support"].username, NOW)
    lock()
    with pytest.raises(accounts.Refused) as refused:
        lock(what=accounts.unlock)
    assert refused.value.code == "too_many_unlocks"
    assert person("owner").locked_at == NOW
    lock(staff="administrator", what=accounts.unlock)
    assert person("owner").locked_at is None
