"""Logging in: the password, then the device."""

from datetime import timedelta

import pytest
from django.db import OperationalError

from portal import audit, credentials, throttle
from portal.errors import Refused
from portal.models import Allowance, AuditEvent
from sls.devices import challenges
from sls.login import completion, operations
from sls.login.operations import digest
from sls.models import AttemptState, DeviceGrant, LoginAttempt, SecurityDevice
from tests.conftest import NOW, PLAYS, by, password, person, press, use_up

pytestmark = pytest.mark.usefixtures("on_stage")
LIFE = timedelta(seconds=600)
INSTANT = timedelta(microseconds=1)
WRONG = "00000000"


def begin(plays="owner", typed=None, name=None, now=NOW, **kwargs):
    return operations.begin(
        username=name or PLAYS[plays].username,
        password=password(plays) if typed is None else typed,
        by=nobody(),
        now=now,
        **kwargs,
    )


def nobody():
    from portal.caller import Caller

    return Caller(address="192.0.2.7", browser="A browser", session="s" * 64, request_id="r")


def attempt_of(plays="owner", now=NOW):
    return read(begin(plays, now=now).attempt)


def read(attempt):
    rows = LoginAttempt.objects.select_related("user__entity", "grant__device", "challenge__device")
    return rows.get(pk=attempt.pk)


def complete(attempt, response=None, plays="owner", now=NOW):
    if response is None:
        response = press(plays, attempt.challenge.question)
    return completion.complete(attempt, response=response, by=nobody(), now=now)


def code_of(call, *args, **kwargs):
    with pytest.raises(Refused) as refused:
        call(*args, **kwargs)
    return refused.value.code


def spent(limit, key):
    row = Allowance.objects.filter(limit=limit.name, key=key).first()
    return row.spent if row else 0


def name_count(plays="owner"):
    return spent(throttle.PASSWORD_OF_NAME, PLAYS[plays].username)


def device_count(plays="owner"):
    return spent(throttle.SECOND_FACTOR_OF_USER, PLAYS[plays].username)


# --- The password -----------------------------------------------------------------------------------


def test_a_right_password_opens_an_attempt_that_asks_the_device():
    begun = begin()
    attempt = read(begun.attempt)
    assert begun.user == attempt.user == person("owner")
    assert (attempt.state, attempt.expires_at) == (AttemptState.PENDING, NOW + LIFE)
    assert attempt.grant.device.serial == "DSC-30010017"
    assert (attempt.challenge.purpose, attempt.challenge.session) == ("login", attempt.session)
    assert (attempt.address, attempt.browser) == ("192.0.2.7", "A browser")
    assert not begun.has_choice
    row = AuditEvent.objects.last()
    assert (row.event, row.subject) == ("sls.login.begun", "robin.savings")
    assert row.facts == {"login": str(attempt.pk)}


def test_the_database_holds_only_a_digest_of_the_browsers_mark():
    begun = begin()
    assert begun.mark
    assert begun.attempt.session == digest(begun.mark) != begun.mark
    assert begin().mark != begun.mark


@pytest.mark.parametrize("typed", ["Robin.Savings", " robin.savings "])
def test_the_name_is_one_name_in_every_spelling(typed):
    assert begin(name=typed).user == person("owner")


REFUSED = ["password", "unknown", "inactive", "device_locked", "name_locked", "address_locked"]


@pytest.mark.parametrize("wrong", REFUSED)
def test_every_kind_of_wrong_is_the_same_refusal_and_leaves_one_audit_row(wrong):
    owner, kwargs = person("owner"), {}
    if wrong == "password":
        kwargs = {"typed": "not it"}
    if wrong == "unknown":
        kwargs = {"name": "nobody.here"}
    if wrong == "inactive":
        owner.is_active = False
        owner.save()
    full = {
        "device_locked": (throttle.SECOND_FACTOR_OF_USER, owner.username),
        "name_locked": (throttle.PASSWORD_OF_NAME, owner.username),
        "address_locked": (throttle.PASSWORD_FROM_ADDRESS, "192.0.2.7"),
    }
    if wrong in full:
        limit, key = full[wrong]
        use_up(limit, key, NOW)
    before = AuditEvent.objects.count()

    assert code_of(begin, **kwargs) == "invalid_credentials"

    assert not LoginAttempt.objects.exists()
    assert AuditEvent.objects.count() == before + 1
    row = AuditEvent.objects.last()
    assert (row.event, row.subject, row.facts) == (
        "sls.login.begun",
        "" if wrong == "unknown" else "robin.savings",
        {"refused": "invalid_credentials"},
    )
    assert list(audit.broken_rows()) == []


def test_ten_wrong_passwords_lock_the_name_and_the_right_one_is_refused():
    last = NOW
    for number in range(10):
        last = NOW + number * timedelta(minutes=3)
        assert code_of(begin, typed="no", now=last) == "invalid_credentials"
    assert code_of(begin, now=last + timedelta(hours=1)) == "invalid_credentials"
    assert code_of(begin, now=last + timedelta(hours=24) - INSTANT) == "invalid_credentials"
    assert begin(now=last + timedelta(hours=24)).attempt


WAITS = [0, 0, 0, 5, 10, 20, 40, 80, 160]


@pytest.mark.parametrize("name", ["robin.savings", "nobody.here"])
def test_failures_have_to_wait_longer_and_longer_whether_the_name_exists_or_not(name):
    now = NOW
    for wait in [*WAITS, 0]:
        with pytest.raises(Refused) as refused:
            begin(name=name, typed="no", now=now)
        assert refused.value.wait == timedelta(seconds=wait)
        if wait:
            early = now + timedelta(seconds=wait) - INSTANT
            with pytest.raises(Refused) as refused:
                begin(name=name, typed="no", now=early)
            assert refused.value.wait == timedelta(seconds=wait)
        now += timedelta(seconds=wait)
    assert spent(throttle.PASSWORD_OF_NAME, name) == 10


def test_a_try_before_the_wait_is_over_is_not_judged_and_counts_nowhere(monkeypatch):
    for _ in range(4):
        code_of(begin, typed="no")
    judged = []
    monkeypatch.setattr(credentials, "check", lambda *args, **kwargs: judged.append(1))
    for _ in range(20):
        assert code_of(begin, now=NOW + timedelta(seconds=4)) == "invalid_credentials"
    assert judged == []
    assert name_count() == 4
    assert spent(throttle.PASSWORD_FROM_ADDRESS, "192.0.2.7") == 4
    monkeypatch.undo()
    assert begin(now=NOW + timedelta(seconds=5)).attempt


def test_a_right_password_ends_the_wait():
    for _ in range(4):
        code_of(begin, typed="no")
    later = NOW + timedelta(seconds=5)
    assert begin(now=later).attempt
    assert begin(now=later).attempt
    assert name_count() == 4


def test_many_names_from_one_address_wait_too():
    for number in range(throttle.PASSWORD_FROM_ADDRESS.steps()[0][0]):
        code_of(begin, name=f"nobody.{number}", typed="no")
    with pytest.raises(Refused) as refused:
        begin("stranger")
    assert refused.value.wait == throttle.FIRST_WAIT
    assert name_count("stranger") == 0
    assert begin("stranger", now=NOW + throttle.FIRST_WAIT).attempt


def test_a_known_browser_does_not_wait():
    epoch = person("owner").browser_epoch
    for _ in range(9):
        code_of(begin, typed="no", known_browser=f"{epoch}.abc")
    assert begin(known_browser=f"{epoch}.abc").attempt


def test_a_right_password_gives_back_its_try_and_keeps_the_failures():
    for _ in range(3):
        code_of(begin, typed="no")
    begin()
    assert name_count() == 3
    assert spent(throttle.PASSWORD_FROM_ADDRESS, "192.0.2.7") == 3


def test_a_database_too_busy_to_begin_the_login_keeps_no_failure(monkeypatch):
    def too_busy(**_challenge):
        raise OperationalError("database is locked")

    monkeypatch.setattr(challenges, "issue", too_busy)
    with pytest.raises(OperationalError):
        begin()
    assert name_count() == 0
    assert spent(throttle.PASSWORD_FROM_ADDRESS, "192.0.2.7") == 0


def test_only_the_whole_login_clears_the_failures_of_the_name():
    for _ in range(3):
        code_of(begin, typed="no")
    attempt = attempt_of()
    code_of(complete, attempt, WRONG)
    assert (name_count(), device_count()) == (3, 1)
    complete(attempt)
    assert (name_count(), device_count()) == (0, 0)
    assert spent(throttle.PASSWORD_FROM_ADDRESS, "192.0.2.7") == 3


def test_a_right_password_ten_times_over_does_not_lock():
    for _ in range(12):
        assert begin().attempt


# --- Without a device -------------------------------------------------------------------------------


def test_a_user_who_never_had_a_device_enters_with_the_password():
    code_of(begin, "no_device", "wrong")
    begun = begin("no_device")
    assert (begun.user, begun.attempt, begun.mark) == (person("no_device"), None, "")
    assert not LoginAttempt.objects.exists()
    row = AuditEvent.objects.last()
    assert (row.event, row.subject, row.facts) == (
        "sls.login.completed",
        "robin.new",
        {"device": "none"},
    )
    assert name_count("no_device") == 0


@pytest.mark.parametrize(
    "how", ["grant ended", "grant sleeps", "device revoked", "device suspended"]
)
def test_who_was_protected_once_never_enters_with_a_bare_password_again(how):
    grants = DeviceGrant.objects.filter(user=person("owner"))
    if how == "grant ended":
        grants.update(state="ended", confirmed=False, ended_at=NOW)
    if how == "grant sleeps":
        grants.update(state="dormant", confirmed=False)
    if how.startswith("device"):
        SecurityDevice.objects.filter(grants__in=grants).update(state=how.split()[1])
    assert code_of(begin) == "device_required"
    assert not LoginAttempt.objects.exists()
    row = AuditEvent.objects.last()
    assert (row.subject, row.facts) == ("robin.savings", {"refused": "device_required"})


def test_a_request_that_waits_for_approval_protects_nobody_yet():
    from tests.sls.test_admin import borrow

    borrow("owner", "no_device", state="pending")
    assert begin("no_device").attempt is None
    DeviceGrant.objects.filter(user=person("no_device")).update(state="ended", ended_at=NOW)
    assert begin("no_device").attempt is None


# --- Confirm ----------------------------------------------------------------------------------------


def test_confirm_asks_a_logged_in_user_for_the_device_he_has_got_since():
    begun = operations.confirm(person("owner"), by=by("owner"), now=NOW)
    assert complete(read(begun.attempt)).user == person("owner")


def test_confirm_refuses_a_user_without_a_device():
    assert (
        code_of(operations.confirm, person("no_device"), by=by("no_device"), now=NOW)
        == "login_over"
    )


# --- Choose -----------------------------------------------------------------------------------------


def choose(attempt, grant_id, now=NOW):
    operations.choose(attempt, grant_id=grant_id, by=nobody(), now=now)


def test_choose_asks_the_device_chosen_and_only_its_answer_is_good():
    card = DeviceGrant.objects.get(device__kind="code_card")
    DeviceGrant.objects.filter(pk=card.pk).update(user=person("temporary_code"), last_used_at=NOW)
    attempt = attempt_of("temporary_code")
    assert begin("temporary_code").has_choice
    first = attempt.challenge
    grant = DeviceGrant.objects.get(user=attempt.user, device__kind="dsc_plus")
    choose(attempt, grant.pk)
    chosen = read(attempt)
    assert chosen.grant == grant
    assert chosen.challenge != first
    complete(chosen, plays="temporary_code")


@pytest.mark.parametrize("whose", ["another user's", "ended", "asleep", "revoked", "no"])
def test_choose_refuses_every_grant_that_is_not_usable_alike(whose):
    attempt = attempt_of()
    grant = DeviceGrant.objects.get(user=person("owner"))
    asked = attempt.challenge_id
    if whose == "another user's":
        grant = DeviceGrant.objects.get(user=person("stranger"))
    if whose == "ended":
        DeviceGrant.objects.filter(pk=grant.pk).update(state="ended", confirmed=False, ended_at=NOW)
    if whose == "asleep":
        DeviceGrant.objects.filter(pk=grant.pk).update(state="dormant", confirmed=False)
    if whose == "revoked":
        SecurityDevice.objects.filter(pk=grant.device_id).update(state="revoked")
    pk = 10**9 if whose == "no" else grant.pk
    assert code_of(choose, attempt, pk) == "login_over"
    assert read(attempt).challenge_id == asked


def test_choose_is_refused_when_the_attempt_has_expired_or_is_completed():
    attempt = attempt_of()
    assert code_of(choose, attempt, attempt.grant_id, now=NOW + LIFE) == "login_over"
    attempt = read(attempt)
    complete(attempt)
    assert code_of(choose, attempt, attempt.grant_id) == "login_over"


def test_questions_are_not_drawn_without_end():
    attempt = attempt_of()
    for _ in range(throttle.CHALLENGES_OF_USER.size - 1):  # beginning the login drew the first
        choose(read(attempt), attempt.grant_id)
    assert code_of(choose, read(attempt), attempt.grant_id) == "too_many_attempts"


# --- The device -------------------------------------------------------------------------------------


def test_the_right_response_completes_the_login_once():
    attempt = attempt_of()
    grant = complete(attempt)
    assert grant == attempt.grant
    assert read(attempt).state == AttemptState.COMPLETED
    assert DeviceGrant.objects.get(pk=grant.pk).last_used_at == NOW
    row = AuditEvent.objects.last()
    assert (row.event, row.subject) == ("sls.login.completed", "robin.savings")
    assert row.facts == {"login": str(attempt.pk), "device": "•••0017"}
    assert code_of(complete, read(attempt)) == "challenge_expired"


def test_a_wrong_response_is_recorded_and_may_be_followed_by_the_right_one():
    attempt = attempt_of()
    assert code_of(complete, attempt, WRONG) == "invalid_response"
    assert AuditEvent.objects.last().facts == {
        "login": str(attempt.pk),
        "refused": "invalid_response",
    }
    assert complete(attempt)


def test_an_attempt_expires(settings):
    settings.CHALLENGE_LIFE = 2 * LIFE
    attempt = attempt_of()
    assert code_of(complete, attempt, now=NOW + LIFE) == "login_over"
    assert read(attempt).state == AttemptState.PENDING
    assert complete(attempt_of(), now=NOW + LIFE - INSTANT)


@pytest.mark.parametrize("change", ["password", "active", "grant", "device"])
def test_what_changed_between_password_and_device_ends_the_login(change):
    attempt = attempt_of()
    user, expected = person("owner"), "login_over"
    if change == "password":
        user.set_password("another one 9")
        user.save()
    if change == "active":
        user.is_active = False
        user.save()
    if change == "grant":
        DeviceGrant.objects.filter(pk=attempt.grant_id).update(
            state="ended", confirmed=False, ended_at=NOW
        )
    if change == "device":
        SecurityDevice.objects.filter(pk=attempt.grant.device_id).update(state="revoked")
        expected = "challenge_expired"
    assert code_of(complete, attempt) == expected
    row = AuditEvent.objects.last()
    assert (row.event, row.facts["refused"]) == ("sls.login.completed", expected)


def test_a_newer_question_of_the_attempt_makes_the_older_one_worthless():
    stale = attempt_of()
    choose(read(stale), stale.grant_id)
    assert code_of(complete, read(stale), press("owner", stale.challenge.question)) == (
        "invalid_response"
    )


def test_the_answer_of_one_attempt_does_not_complete_another():
    mine, other = attempt_of(), attempt_of()
    response = press("owner", other.challenge.question)
    if mine.challenge.question != other.challenge.question:
        assert code_of(complete, mine, response) == "invalid_response"
    mine.challenge = other.challenge
    assert code_of(complete, mine, response) == "challenge_expired"


def test_five_wrong_responses_lock_the_second_factor_and_then_the_password_too():
    codes = []
    for _ in range(3):
        attempt = attempt_of()
        codes += [code_of(complete, attempt, WRONG) for _ in range(2)]
        if len(codes) == 4:
            waiting = attempt_of()
    assert codes == ["invalid_response"] * 5 + ["too_many_attempts"]
    assert code_of(complete, waiting) == "too_many_attempts"
    assert code_of(begin) == "invalid_credentials"
    after = NOW + throttle.SECOND_FACTOR_OF_USER.window
    assert complete(attempt_of(now=after), now=after)


def test_a_failing_audit_insert_leaves_the_login_undone(monkeypatch):
    attempt = attempt_of()
    response = press("owner", attempt.challenge.question)
    monkeypatch.setattr(audit, "record", lambda **row: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        complete(attempt, response)
    attempt = read(attempt)
    assert (attempt.state, attempt.challenge.state) == (AttemptState.PENDING, "open")
    assert attempt.grant.last_used_at is None


def test_logging_out_is_recorded():
    operations.log_out(by=by("owner"), now=NOW)
    row = AuditEvent.objects.last()
    assert (row.event, row.actor, row.subject) == (
        "sls.login.ended",
        "robin.savings",
        "robin.savings",
    )
