"""Caller checks: what they prove, what they cannot be used for, and who may make them."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from portal import audit, throttle
from portal.errors import Refused
from portal.models import Allowance, AuditEvent, OutboxMessage, User
from sls.activity.queries import history
from sls.caller_check import operations, queries
from sls.devices import challenges
from sls.login import completion
from sls.login import operations as login
from sls.models import CallerCheck, Challenge, CheckState, DeviceGrant, Purpose
from tests.conftest import NOW, by, password, person, press, use_up
from tests.sls.test_admin import borrow, device_of

pytestmark = pytest.mark.usefixtures("on_stage")
SOON = NOW + timedelta(seconds=30)
LATE = NOW + timedelta(hours=1)


def ask(plays="owner", staff="support", now=NOW, device=None, session="s" * 64):
    return operations.ask(
        person(plays),
        device_id=(device or device_of(plays)).pk,
        ticket="T-1",
        reason="asks for a code",
        by=by(staff, session),
        now=now,
    )


def judge(check, response=None, plays="owner", staff="support", now=SOON, session="s" * 64):
    check = queries.check(check.pk)
    said = press(plays, check.challenge.question) if response is None else response
    return operations.judge(check, response=said, by=by(staff, session), now=now)


def code_of(call, *args, **kwargs):
    with pytest.raises(Refused) as refused:
        call(*args, **kwargs)
    return refused.value.code


def state_of(check):
    return CallerCheck.objects.get(pk=check.pk).state


@pytest.mark.parametrize("plays", ["owner", "requester"])  # a DSC+, and a card
def test_the_right_response_passes_and_changes_nothing_else(plays):
    grants = list(DeviceGrant.objects.order_by("pk").values())
    check = ask(plays)
    assert judge(check, plays=plays) == CheckState.PASSED
    assert (state_of(check), CallerCheck.objects.get().ended_at) == ("passed", SOON)
    assert list(DeviceGrant.objects.order_by("pk").values()) == grants
    assert not OutboxMessage.objects.exists()


def test_a_wrong_response_fails_and_one_response_is_judged():
    check = ask()
    assert judge(check, "00000000") == CheckState.FAILED
    assert code_of(judge, check) == "check_over"
    assert state_of(check) == "failed"


def test_of_two_responses_at_once_one_is_judged(monkeypatch):
    """While the wrong one is judged, a right one comes."""
    check = ask()
    spend = challenges.spend

    def meanwhile(*args, **kwargs):
        monkeypatch.setattr(challenges, "spend", spend)
        assert code_of(judge, check) == "check_over"
        return spend(*args, **kwargs)

    monkeypatch.setattr(challenges, "spend", meanwhile)
    assert judge(check, "00000000") == CheckState.FAILED
    assert state_of(check) == "failed"


def test_a_caller_without_a_response_ends_the_check():
    check = ask()
    operations.give_up(queries.check(check.pk), by=by("support"), now=SOON)
    assert state_of(check) == "none"
    assert code_of(judge, check) == "check_over"


def test_the_time_to_answer_ends_it_whether_it_was_tidied_up_or_not():
    check = ask()
    assert queries.state_now(check, now=LATE) == CheckState.NONE
    assert code_of(judge, check, now=LATE) == "check_over"
    operations.close_expired(now=LATE)
    assert state_of(check) == "none"
    assert AuditEvent.objects.last().event == "sls.caller.not_answered"


def test_a_borrowed_device_answers_for_its_borrower():
    borrow("owner", "no_device")
    check = ask("no_device", device=device_of("owner"))
    assert judge(check) == CheckState.PASSED


# --- Purposes never mix (R4) -----------------------------------------------------------------------------


def test_a_response_to_a_check_opens_no_login():
    begun = login.begin(
        username="robin.savings", password=password("owner"), by=by("owner"), now=NOW
    )
    check = queries.check(ask().pk)
    said = press("owner", check.challenge.question)
    attempt = begun.attempt
    attempt.challenge = check.challenge  # as if the row pointed there
    assert code_of(completion.complete, attempt, response=said, by=by("owner"), now=SOON) == (
        "challenge_expired"
    )


@pytest.mark.parametrize("purpose", [p for p in Purpose if p != Purpose.CALLER_CHECK])
def test_a_challenge_of_a_check_serves_no_other_purpose(purpose):
    check = queries.check(ask().pk)
    said = press("owner", check.challenge.question)
    with transaction.atomic():
        refused = code_of(
            challenges.answer,
            check.challenge,
            said,
            users=[],
            purpose=purpose,
            session="s" * 64,
            now=SOON,
        )
    assert refused == "challenge_expired"
    assert Challenge.objects.get(pk=check.challenge_id).state == "open"


def test_a_challenge_of_a_login_passes_no_check():
    check = ask()
    other = challenges.issue(
        user=person("owner"),
        device=device_of("owner"),
        purpose=Purpose.LOGIN,
        session="s" * 64,
        now=NOW,
    )
    CallerCheck.objects.filter(pk=check.pk).update(challenge=other)
    assert code_of(judge, check) == "check_over"
    assert state_of(check) == "waiting"


# --- Who --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plays", ["owner", "other_entity", "requester", "officer_client"])
def test_nobody_checks_his_own_person(plays):
    assert code_of(ask, plays, "officer_client") == "own_person"
    assert not CallerCheck.objects.exists()
    assert AuditEvent.objects.last().facts["refused"] == "own_person"


def test_staff_and_deactivated_usernames_are_no_callers():
    assert code_of(ask, "officer") == "not_a_client"
    User.objects.filter(pk=person("owner").pk).update(is_active=False)
    assert code_of(ask) == "not_a_client"


def test_only_who_asked_types_the_response_and_in_the_browser_that_asked():
    check = ask()
    assert code_of(judge, check, staff="administrator") == "not_the_maker"
    assert code_of(judge, check, session="t" * 64) == "not_the_maker"
    assert state_of(check) == "waiting"
    assert judge(check) == CheckState.PASSED


def test_one_check_at_a_time_and_an_overdue_one_is_none():
    ask()
    assert code_of(ask, staff="administrator") == "check_running"
    ask(now=LATE)
    assert sorted(CallerCheck.objects.values_list("state", flat=True)) == ["none", "waiting"]


def test_the_database_lets_nobody_check_himself_and_one_check_be_open():
    check = ask()
    with pytest.raises(IntegrityError), transaction.atomic():
        CallerCheck.objects.filter(pk=check.pk).update(made_by=person("owner"))
    with pytest.raises(IntegrityError), transaction.atomic():
        CallerCheck.objects.filter(pk=check.pk).update(state="passed")


# --- Devices ----------------------------------------------------------------------------------------------


def test_codes_that_the_client_has_already_are_never_asked_for():
    devices = queries.askable_devices(person("temporary_code"), now=NOW)
    assert [device.kind for device in devices] == ["dsc_plus"]


def test_somebody_elses_or_a_suspended_device_is_not_asked():
    assert code_of(ask, device=device_of("stranger")) == "no_device_to_ask"
    device = device_of("owner")
    type(device).objects.filter(pk=device.pk).update(state="suspended")
    assert code_of(ask) == "no_device_to_ask"


def test_a_device_that_is_suspended_meanwhile_passes_nobody():
    check = ask()
    device = device_of("owner")
    type(device).objects.filter(pk=device.pk).update(state="suspended")
    assert code_of(judge, check) == "check_over"


# --- Limits -----------------------------------------------------------------------------------------------


def test_failures_do_not_touch_the_limits_of_the_login():
    for number in range(3):
        check = ask(now=NOW + timedelta(minutes=number))
        assert judge(check, "00000000", now=SOON + timedelta(minutes=number)) == CheckState.FAILED
    assert not Allowance.objects.filter(
        limit__in=["second_factor_of_user", "password_of_name"]
    ).exists()
    check = ask(now=NOW + timedelta(minutes=5))
    assert code_of(judge, check, now=SOON + timedelta(minutes=5)) == "too_many_checks"
    assert state_of(check) == "waiting"


def test_a_pass_forgives_no_failed_response_of_the_login():
    use_up(throttle.SECOND_FACTOR_OF_USER, "robin.savings", NOW)
    assert judge(ask()) == CheckState.PASSED
    assert Allowance.objects.get(limit="second_factor_of_user").spent == 5


@pytest.mark.parametrize(
    ("limit", "key"),
    [
        (throttle.CALLER_CHECKS_BY_STAFF, "cleo.harbour"),
        (throttle.CALLER_CHECKS_OF_USER, "robin.savings"),
    ],
)
def test_checks_are_bounded_for_staff_and_for_the_client(limit, key):
    use_up(limit, key, NOW)
    assert code_of(ask) == "too_many_checks"


# --- On record --------------------------------------------------------------------------------------------


def test_the_client_reads_the_check_in_his_history_and_no_response_is_kept():
    check = ask()
    response = press("owner", queries.check(check.pk).challenge.question)
    judge(check)
    lines = [line.what for line in history(person("owner"))]
    assert lines == [
        "The caller's response was right",
        "Client Services asked a caller for a response of your device",
    ]
    first = AuditEvent.objects.get(event="sls.caller.asked")
    assert (first.actor, first.subject) == ("cleo.harbour", "robin.savings")
    assert first.facts == {
        "check": str(check.pk),
        "ticket": "T-1",
        "device": "•••0017",
        "reason": "asks for a code",
    }
    assert all(response not in str(row.facts) for row in AuditEvent.objects.all())


def test_a_failing_audit_insert_leaves_the_check_open(monkeypatch):
    check = ask()
    monkeypatch.setattr(audit, "record", lambda **row: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        judge(check)
    assert state_of(check) == "waiting"
    assert Challenge.objects.get(pk=check.challenge_id).state == "open"
