"""What happens when nobody acts."""

from datetime import UTC, date, datetime, timedelta

import pytest

from compliance.models import ReviewCase
from compliance.review import deadlines, operations
from compliance.tasks import send_digest, watch_deadlines
from portal.models import AuditEvent, OutboxMessage, Urgency
from portal.outbox import rendering
from sls.sharing import completion
from sls.sharing.queries import shares
from tests.compliance.crowd import waiting
from tests.compliance.desk import RIGHTS, at_desk, entitle, recommend, wait_for_approval
from tests.conftest import NOW, by, person
from tests.counting import counting

pytestmark = pytest.mark.usefixtures("on_stage")
OVERDUE = datetime(2026, 11, 26, 0, 0, tzinfo=UTC)  # NOW is Monday the 23rd; two business days
IN_TIME = OVERDUE - timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _staff(on_stage):
    for plays in ("officer", "second_officer", "officer_client"):
        entitle(plays, *RIGHTS)
    person("lead").groups.clear()
    entitle("second_officer", "assign_reviewcase")
    entitle("officer_client", "assign_reviewcase")


@pytest.fixture
def share():
    return wait_for_approval()


def told(event):
    rows = OutboxMessage.objects.filter(event=event)
    return sorted(rows.values_list("user__username", flat=True))


def test_an_overdue_case_is_told_to_the_leads_once(share):
    assert deadlines.escalate(now=IN_TIME) == 0
    assert deadlines.escalate(now=OVERDUE) == 1
    assert deadlines.escalate(now=OVERDUE + timedelta(hours=1)) == 0
    leads = ["bram.teller", "edda.root", "robin.desk"]
    assert told("cases_overdue") == leads
    (row,) = AuditEvent.objects.filter(event="compliance.case.escalated")
    assert row.facts == {"share": str(share.pk), "leads": leads}
    assert ReviewCase.objects.get().escalated_at == OVERDUE


def test_holidays_are_no_business_days(share, settings):
    settings.HOLIDAYS = frozenset({date(2026, 11, 24)})
    assert deadlines.escalate(now=OVERDUE) == 0
    assert deadlines.escalate(now=OVERDUE + timedelta(days=1)) == 1


@pytest.mark.parametrize("ended", ["withdrawn", "claimed and withdrawn"])
def test_what_is_over_is_not_overdue(share, ended):
    if ended != "withdrawn":
        operations.claim(share.pk, by=at_desk("officer"), now=NOW)
    completion.withdraw(shares().get(pk=share.pk), by=by("requester"), now=NOW)
    assert deadlines.escalate(now=OVERDUE) == 0
    assert deadlines.assign_overdue(now=OVERDUE) == 0


def test_an_overdue_case_gets_an_owner_who_may_take_it(share):
    """Neither the officer behind whom a party stands, nor the maker."""
    recommend(share, "administrator")
    deadlines.escalate(now=OVERDUE)
    assert deadlines.assign_overdue(now=OVERDUE) == 1
    assert ReviewCase.objects.get().claimed_by == person("second_officer")
    (row,) = AuditEvent.objects.filter(event="compliance.case.handed_over")
    assert (row.actor, row.facts["to"]) == ("", "bram.teller")
    assert deadlines.assign_overdue(now=OVERDUE) == 0


def test_an_overdue_case_stays_with_who_works_on_it(share):
    operations.claim(share.pk, by=at_desk("officer"), now=OVERDUE)
    deadlines.escalate(now=OVERDUE)
    assert deadlines.assign_overdue(now=OVERDUE) == 0
    assert deadlines.release_forgotten(now=OVERDUE + timedelta(days=3)) == 0
    assert ReviewCase.objects.get().claimed_by == person("officer")


def test_a_claim_ends_after_a_day(share):
    operations.claim(share.pk, by=at_desk("officer"), now=NOW)
    assert deadlines.release_forgotten(now=NOW + timedelta(hours=23)) == 0
    assert deadlines.release_forgotten(now=NOW + timedelta(hours=24)) == 1
    assert ReviewCase.objects.get().claimed_by is None
    row = AuditEvent.objects.get(event="compliance.case.released")
    assert (row.actor, row.facts["claimed_by"]) == ("", "ada.quill")


def test_the_claim_of_a_request_that_was_withdrawn_ends_too(share):
    operations.claim(share.pk, by=at_desk("officer"), now=NOW)
    completion.withdraw(share, by=by("requester"), now=NOW)
    assert deadlines.release_forgotten(now=NOW) == 1
    assert ReviewCase.objects.get().claimed_by is None


def test_a_broken_case_does_not_keep_the_others_claimed(share, monkeypatch):
    (other,) = waiting(1, since=NOW)
    for one, hours in ((share, 0), (other, 1)):
        operations.claim(one.pk, by=at_desk("officer"), now=NOW + timedelta(hours=hours))
    give_back = deadlines._give_back

    def breaks(case, *, now):
        if case.pk == share.pk:
            raise ValueError("broken")
        return give_back(case, now=now)

    monkeypatch.setattr(deadlines, "_give_back", breaks)
    with pytest.raises(ValueError, match="broken"):
        deadlines.release_forgotten(now=NOW + timedelta(hours=25))
    assert ReviewCase.objects.get(pk=other.pk).claimed_by is None


@pytest.mark.parametrize("lost", ["active", "staff", "right"])
def test_the_claim_of_who_works_here_no_more_ends_at_once(share, lost):
    operations.claim(share.pk, by=at_desk("officer"), now=NOW)
    officer = person("officer")
    if lost == "right":
        officer.user_permissions.clear()
        officer.groups.clear()
    else:
        setattr(officer, f"is_{lost}", False)
        officer.save()
    assert deadlines.release_forgotten(now=NOW) == 1


def test_officers_hear_each_business_day_what_waits_and_only_once(share):
    operations.claim(share.pk, by=at_desk("officer"), now=NOW)
    assert deadlines.send_digest(now=OVERDUE) == 4
    assert deadlines.send_digest(now=OVERDUE + timedelta(hours=1)) == 0
    assert told("cases_digest") == ["ada.quill", "bram.teller", "edda.root", "robin.desk"]


@pytest.mark.parametrize("day", [datetime(2026, 11, 28, 6, tzinfo=UTC), None])
def test_no_digest_on_a_weekend_or_a_holiday(share, settings, day):
    settings.HOLIDAYS = frozenset({OVERDUE.date()})
    assert deadlines.send_digest(now=day or OVERDUE) == 0


def test_a_digest_goes_behind_whatever_somebody_waits_for(share):
    deadlines.send_digest(now=OVERDUE)
    assert {row.urgency for row in OutboxMessage.objects.filter(event="cases_digest")} == {
        Urgency.BULK
    }


def test_no_digest_when_nothing_waits():
    assert deadlines.send_digest(now=OVERDUE) == 0
    assert told("cases_digest") == []


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["1 sharing request has waited", "Waiting: 1"]),
        ("zh-hans", ["1个共享请求", "等待中：1"]),
    ],
)
def test_staff_are_told_in_their_language(share, language, words):
    deadlines.escalate(now=OVERDUE)
    deadlines.send_digest(now=OVERDUE)
    rows = OutboxMessage.objects.filter(event__startswith="cases_").select_related("user__entity")
    letters = {}
    for row in rows:
        row.language = language
        letters[row.event] = rendering.render(row).text
    assert words[0] in letters["cases_overdue"]
    assert words[1] in letters["cases_digest"]


def test_the_jobs_run_without_anything_to_do_in_few_statements():
    with counting() as count:
        watch_deadlines()
        send_digest()
    assert count.sql <= 8, str(count)
    assert count.writes == 0
