"""Scheduling and withdrawing review rules, row by row, and every way to change what has started."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from compliance.policy import operations, queries
from portal.errors import Refused
from portal.models import AuditEvent
from sls.models import ReviewPolicy
from sls.review import ReviewReason, Rule
from tests.conftest import by, person
from tests.sls.test_admin import allow

pytestmark = pytest.mark.usefixtures("on_stage", "_lead")
NOW = timezone.now()  # the database's own clock guards the rows
TOMORROW = NOW + timedelta(days=1)
RULES = {"other_entity": Rule(reviewers=1), "new_shares": Rule(threshold=3, holds=False)}


@pytest.fixture
def _lead(on_stage):
    for plays in ("officer", "second_officer"):
        person(plays).groups.clear()  # the rights of the roles do not count here
    allow("officer", "add_reviewpolicy")


def schedule(starts_at=TOMORROW, *, now=NOW, **more) -> ReviewPolicy:
    last = queries.last_policy()
    what = {"rules": RULES, "note": "Fewer eyes.", "follows": last.pk if last else 0}
    return operations.schedule(
        **(what | {"by": by("officer")} | more), starts_at=starts_at, now=now
    )


def withdraw(policy, *, now=NOW, **more):
    operations.withdraw(policy.pk, **({"note": "Not now.", "by": by("officer")} | more), now=now)


def refusal(call, *args, **kwargs) -> str:
    with pytest.raises(Refused) as refused:
        call(*args, **kwargs)
    return refused.value.code


def spans() -> list[tuple]:
    return list(ReviewPolicy.objects.order_by("starts_at").values_list("starts_at", "ends_at"))


def last_event() -> AuditEvent:
    return AuditEvent.objects.order_by("number").last()


def test_a_scheduled_policy_holds_its_rules_author_and_reason_and_is_on_record():
    policy = schedule()
    policy.refresh_from_db()
    assert policy.rules == {
        "other_entity": {"threshold": 1, "holds": True, "reviewers": 1},
        "new_shares": {"threshold": 3, "holds": False, "reviewers": 2},
    }
    assert (policy.starts_at, policy.ends_at) == (TOMORROW, None)
    assert (policy.made_by, policy.made_at, policy.note) == (person("officer"), NOW, "Fewer eyes.")
    event = last_event()
    assert (event.event, event.actor) == ("compliance.policy.scheduled", "ada.quill")
    assert event.facts == {
        "version": policy.pk,
        "follows": 0,
        "starts_at": TOMORROW.isoformat(),
        "rules": policy.rules,
        "note": "Fewer eyes.",
    }


def test_the_next_policy_ends_the_one_before_when_it_starts():
    schedule()
    schedule(TOMORROW + timedelta(days=7))
    assert spans() == [
        (TOMORROW, TOMORROW + timedelta(days=7)),
        (TOMORROW + timedelta(days=7), None),
    ]


def test_without_a_start_it_is_a_minute_from_now():
    assert schedule(None).starts_at == NOW + timedelta(minutes=1)


@pytest.mark.parametrize("early", [timedelta(0), timedelta(days=-1), timedelta(seconds=59)])
def test_rules_never_start_in_the_past(early):
    assert refusal(schedule, NOW + early) == "policy_starts_too_early"
    assert spans() == []
    assert last_event().facts["refused"] == "policy_starts_too_early"


@pytest.mark.parametrize("days", [0, -0.5])
def test_rules_start_after_the_last_that_are_scheduled(days):
    schedule()
    assert refusal(schedule, TOMORROW + timedelta(days=days)) == "policy_before_the_last"
    assert spans() == [(TOMORROW, None)]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"note": "  "}, "policy_note_missing"),
        ({"note": "x" * 501}, "policy_note_missing"),
        ({"rules": {"other_entity": Rule(reviewers=3)}}, "policy_rules_invalid"),
        ({"rules": {"no_reason": Rule()}}, "policy_rules_invalid"),
        ({"follows": 77}, "policy_overtaken"),
    ],
)
def test_what_is_wrong_changes_nothing(wrong, code):
    assert refusal(schedule, **wrong) == code
    assert spans() == []


def test_who_rehearsed_against_other_rules_is_told_and_changes_nothing():
    first = schedule()
    schedule(TOMORROW + timedelta(days=1))
    assert refusal(schedule, TOMORROW + timedelta(days=2), follows=first.pk) == "policy_overtaken"
    assert len(spans()) == 2


def test_all_rules_may_be_switched_off():
    assert schedule(rules={}).rules == {}


@pytest.mark.parametrize("plays", ["second_officer", "support", "auditor", "owner"])
def test_without_the_right_nobody_sets_rules(plays):
    assert refusal(schedule, by=by(plays)) == "policy_not_allowed"
    policy = schedule()
    assert refusal(withdraw, policy, by=by(plays)) == "policy_not_allowed"
    assert spans() == [(TOMORROW, None)]


def test_a_right_withdrawn_counts_at_once():
    officer = by("officer")
    assert officer.user.has_perm("sls.add_reviewpolicy")  # and is remembered by the session's user
    person("officer").user_permissions.clear()
    assert refusal(schedule, by=officer) == "policy_not_allowed"


def test_a_withdrawn_policy_gives_the_one_before_its_open_end_back():
    first = schedule()
    second = schedule(TOMORROW + timedelta(days=1))
    withdraw(second)
    assert spans() == [(TOMORROW, None)]
    event = last_event()
    assert event.event == "compliance.policy.withdrawn"
    assert (event.facts["version"], event.facts["follows"]) == (second.pk, first.pk)
    assert event.facts["rules"] == second.rules
    assert event.facts["why"] == "Not now."


def test_only_the_last_one_can_be_withdrawn():
    first = schedule()
    schedule(TOMORROW + timedelta(days=1))
    assert refusal(withdraw, first) == "policy_not_the_last"
    assert len(spans()) == 2


def test_a_policy_that_has_started_is_not_withdrawn():
    policy = schedule()
    assert refusal(withdraw, policy, now=TOMORROW) == "policy_has_started"
    assert spans() == [(TOMORROW, None)]


def test_a_version_is_not_given_twice():
    first = schedule()
    withdraw(first)
    assert schedule().pk != first.pk


def test_nothing_is_left_when_the_audit_row_cannot_be_written(monkeypatch):
    schedule()

    def fail(**row):
        raise RuntimeError

    monkeypatch.setattr("portal.audit.record", fail)
    with pytest.raises(RuntimeError):
        schedule(TOMORROW + timedelta(days=1))
    assert spans() == [(TOMORROW, None)]


# The database's own guard


def started() -> ReviewPolicy:
    """As if it had been scheduled a while ago."""
    return ReviewPolicy.objects.create(
        rules={ReviewReason.OTHER_ENTITY: vars(Rule())},
        starts_at=NOW - timedelta(days=2),
        made_by=person("officer"),
        made_at=NOW - timedelta(days=3),
        note="Long ago.",
    )


@pytest.fixture
def _guard(db):
    """The migration's triggers, which the tests' set-up takes away on SQLite."""
    migration = import_module("sls.migrations.0014_policies_stay_as_they_are")
    statements = (migration.SQLITE, migration.UNDO["sqlite"])
    if connection.vendor != "sqlite":
        statements = ([], [])  # awake already
    with connection.cursor() as cursor:
        for statement in statements[0]:
            cursor.execute(statement)
    yield
    with connection.cursor() as cursor:
        for statement in statements[1]:
            cursor.execute(statement)


@pytest.mark.parametrize(
    "columns",
    [
        {"rules": {}},
        {"note": "Other words."},
        {"starts_at": NOW - timedelta(days=9)},
        {"made_at": NOW},
        {"ends_at": NOW - timedelta(days=1)},
        {"rules": {}, "ends_at": TOMORROW},
    ],
)
@pytest.mark.usefixtures("_guard")
def test_the_database_refuses_to_change_a_policy(columns):
    policy = started()
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
        ReviewPolicy.objects.filter(pk=policy.pk).update(**columns)


@pytest.mark.usefixtures("_guard")
def test_the_database_keeps_a_policy_that_is_not_started_as_it_is_too():
    policy = schedule()
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
        ReviewPolicy.objects.filter(pk=policy.pk).update(rules={})


@pytest.mark.usefixtures("_guard")
def test_the_database_does_not_open_a_policy_that_is_over():
    policy = ReviewPolicy.objects.create(
        rules={},
        starts_at=NOW - timedelta(days=2),
        ends_at=NOW - timedelta(days=1),
        made_by=person("officer"),
        made_at=NOW - timedelta(days=3),
        note="Over.",
    )
    for ends_at in (None, TOMORROW):
        with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
            ReviewPolicy.objects.filter(pk=policy.pk).update(ends_at=ends_at)


@pytest.mark.usefixtures("_guard")
def test_the_database_refuses_to_delete_a_policy_that_has_started():
    policy = started()
    with pytest.raises(DatabaseError, match="never deleted"), transaction.atomic():
        ReviewPolicy.objects.filter(pk=policy.pk).delete()
    withdraw(schedule())
    assert ReviewPolicy.objects.get().ends_at is None
