"""Rehearsing rules on requests that were really made, and replaying one by its own rules."""

from datetime import timedelta

import pytest
from django.utils import timezone

from compliance.policy import operations, queries
from compliance.policy.rules import FlipKind
from sls.models import Challenge, ShareRequest, ShareState
from sls.review import Policy, Rule, outcome
from sls.sharing.queries import policy_of, shares
from tests.compliance.desk import wait_for_approval
from tests.conftest import NOW, by, person
from tests.counting import counting
from tests.sls.test_admin import allow, device_of

pytestmark = pytest.mark.usefixtures("on_stage")
ONLY_DOCUMENTS = Policy(0, {"document_expired": Rule(reviewers=1)})


def requests(findings: list[dict[str, int]]) -> list[ShareRequest]:
    """Ended requests, the first the newest."""
    device, owner, requester = device_of("owner"), person("owner"), person("requester")
    challenges = Challenge.objects.bulk_create(
        Challenge(
            user=requester,
            device=device,
            purpose="share",
            session="s" * 64,
            question=f"{number:06}",
            issued_at=NOW,
            expires_at=NOW,
            state="answered",
            answered_at=NOW,
        )
        for number in range(len(findings))
    )
    return ShareRequest.objects.bulk_create(
        ShareRequest(
            requester=requester,
            owner=owner,
            device=device,
            challenge=challenge,
            owner_password_mark="m",
            state=ShareState.CANCELLED,
            findings=found,
            created_at=NOW,
            expires_at=NOW,
            proven_at=NOW,
            submitted_at=NOW - timedelta(minutes=age) if found is not None else None,
        )
        for age, (challenge, found) in enumerate(zip(challenges, findings, strict=True))
    )


def test_a_rehearsal_shows_which_of_the_last_requests_flip():
    made = requests(
        [{"other_entity": 1, "document_expired": 0}, {"other_entity": 0, "document_expired": 1}]
    )
    found = queries.rehearse(ONLY_DOCUMENTS)
    assert found.comparison.total == 2
    assert found.since == made[1].submitted_at
    [shown] = found.shown
    assert (shown.share_id, shown.flip.kind) == (made[0].pk, FlipKind.FREED)
    assert (shown.requester, shown.owner) == ("robin.calder", "robin.savings")


def test_only_the_last_requests_are_read_and_none_without_findings():
    requests([{"other_entity": 0}, {}, {"other_entity": 1}, {"other_entity": 1}])
    found = queries.rehearse(ONLY_DOCUMENTS, at_most=2)
    assert (found.comparison.total, len(found.shown)) == (2, 1)


def test_a_rehearsal_never_reads_more_than_it_may(monkeypatch):
    monkeypatch.setattr(queries, "MOST_REQUESTS", 3)
    requests([{"other_entity": 1}] * 5)
    assert queries.rehearse(ONLY_DOCUMENTS, at_most=10_000).comparison.total == 3


def test_the_list_of_flips_is_cut_and_says_so(monkeypatch):
    monkeypatch.setattr(queries, "FLIPS_SHOWN", 2)
    requests([{"other_entity": 1}] * 5)
    found = queries.rehearse(ONLY_DOCUMENTS)
    assert (len(found.shown), found.left_out) == (2, 3)


@pytest.mark.parametrize("number", [1, 60])
def test_a_rehearsal_costs_three_statements_however_many_requests_there_are(number):
    requests([{"other_entity": 1}] * number)
    with counting() as count:
        found = queries.rehearse(ONLY_DOCUMENTS)
    assert len(found.shown) == number
    assert count.sql <= 3, str(count)


def test_a_rehearsal_writes_nothing():
    requests([{"other_entity": 1}])
    with counting() as count:
        queries.rehearse(ONLY_DOCUMENTS)
    assert count.writes == 0


def test_a_request_replays_to_the_same_outcome_under_its_own_rules():
    allow("officer", "add_reviewpolicy")
    now = timezone.now()
    lenient = operations.schedule(
        rules={"other_entity": Rule(reviewers=1)},
        starts_at=None,
        note="One pair of eyes.",
        follows=0,
        by=by("officer"),
        now=now,
    )
    share = wait_for_approval(now=now + timedelta(minutes=2))
    assert share.policy_id == lenient.pk
    operations.schedule(
        rules={},
        starts_at=now + timedelta(days=1),
        note="None at all.",
        follows=lenient.pk,
        by=by("officer"),
        now=now + timedelta(minutes=3),
    )

    share = shares().select_related("policy").get(pk=share.pk)
    replayed = outcome(policy_of(share.policy), share.findings)

    assert (list(replayed.reasons), replayed.reviewers) == (share.reasons, share.reviewers)
    assert replayed.reviewers == 1
    today = policy_of(queries.last_policy())
    assert outcome(today, share.findings).reviewers == 0


def test_a_request_older_than_the_policies_replays_by_what_was_shipped():
    share = ShareRequest.objects.get(pk=wait_for_approval().pk)
    replayed = outcome(policy_of(share.policy), share.findings)
    assert (list(replayed.reasons), replayed.reviewers) == (share.reasons, 2)
