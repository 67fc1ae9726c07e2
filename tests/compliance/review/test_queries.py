"""The evidence: what is shown, what is masked, and what makes it another version."""

import json
from datetime import date, timedelta

import pytest
from django.utils import translation

from compliance.review import gathering, queries
from compliance.review.evidence import Evidence
from portal.models import AuditEvent, PhoneNumber
from sls.models import PasswordReset, ReviewPolicy, ShareRequest
from sls.sharing.queries import shares
from tests.compliance.desk import RIGHTS, at_desk, digest, entitle, recommend, wait_for_approval
from tests.conftest import NOW, person
from tests.counting import counting

pytestmark = pytest.mark.usefixtures("on_stage")


@pytest.fixture
def share():
    return wait_for_approval(note="For my trust's account.")


def evidence(share, now=NOW) -> Evidence:
    case = queries.case_of(share.pk, now=now)
    assert case is not None
    return case.evidence


def field(share, name):
    return next(pair for pair in evidence(share).fields if pair.name == name)


def test_a_case_costs_at_most_10_statements_whatever_happened_before(share):
    with counting() as few:
        queries.case_of(share.pk, now=NOW)
    for number in range(30):
        ShareRequest.objects.create(
            requester=share.requester,
            owner=share.owner,
            device=share.device,
            challenge=_challenge(share),
            state="rejected",
            created_at=NOW - timedelta(days=number + 1),
            expires_at=NOW,
            ended_at=NOW - timedelta(days=number + 1),
            decision_reason="identity_unclear",
        )
    entitle("officer", *RIGHTS)
    recommend(share)
    with counting() as many:
        case = queries.case_of(share.pk, now=NOW)
    assert few.sql <= 10, str(few)
    assert many.sql == few.sql, str(many)
    assert len(case.evidence.earlier) == gathering.EARLIER
    assert case.evidence.earlier[0].reason_labels == [
        "We could not confirm that both usernames are yours"
    ]


def _challenge(share):
    from sls.models import Challenge

    challenge = share.challenge
    return Challenge.objects.create(
        user=challenge.user,
        device=challenge.device,
        purpose=challenge.purpose,
        session="",
        question="1",
        issued_at=NOW,
        expires_at=NOW,
    )


def test_both_persons_data_stand_side_by_side_and_masked(share):
    shown = {pair.name: pair for pair in evidence(share).fields}
    assert shown["date_of_birth"].requester == "1979-••-••"
    assert shown["document_number"].requester == shown["document_number"].owner == "•••13"
    assert shown["citizenship"].requester == "NZ"
    assert shown["document_type"].requester == "Passport"
    assert {name for name, pair in shown.items() if pair.is_compared} == {
        *("date_of_birth", "citizenship", "country_of_residence"),
        *("document_type", "document_number"),
    }
    assert {pair.outcome for pair in shown.values() if pair.is_compared} == {"equal"}
    assert shown["social_security_number"].outcome == "missing"
    assert not shown["social_security_number"].is_masked


@pytest.mark.parametrize(
    ("name", "change", "outcome"),
    [
        ("citizenship", {"citizenship": "AU"}, "differs"),
        ("citizenship", {"citizenship": "nz"}, "equal"),
        ("date_of_birth", {"date_of_birth": None}, "missing"),
        ("date_of_birth", {"date_of_birth": date(1979, 3, 15)}, "differs"),
    ],
)
def test_differences_are_marked_field_by_field(share, name, change, outcome):
    type(share.owner.entity).objects.filter(pk=share.owner.entity_id).update(**change)
    assert field(share, name).outcome == outcome


def test_between_us_persons_the_social_security_number_stands_in(share):
    for entity in (share.requester.entity, share.owner.entity):
        entity.citizenship = "US"
        entity.set_number("ssn", "123-45-6789")
        entity.save()
    compared = [pair.name for pair in evidence(share).fields if pair.is_compared]
    assert compared == ["date_of_birth", "social_security_number"]
    assert field(share, "social_security_number").owner == "•••89"


def test_the_age_of_documents_is_told(share):
    requester, owner = evidence(share, now=NOW).documents
    assert (requester.side, owner.side) == ("requester", "owner")
    assert requester.days == (date(2031, 8, 1) - NOW.date()).days
    type(share.owner.entity).objects.filter(pk=share.owner.entity_id).update(
        document_expires_on=date(2026, 11, 1)
    )
    _, owner = evidence(share, now=NOW).documents
    assert (owner.days, owner.has_expired) == (-22, True)


def test_each_rule_shows_what_was_found_and_whether_it_counted(share):
    rows = {row.code: row for row in evidence(share).rules}
    assert (rows["other_entity"].found, rows["other_entity"].counts) == (1, True)
    assert (rows["new_shares"].threshold, rows["new_shares"].counts) == (2, False)
    assert evidence(share).policy_version == 0


def test_the_rules_shown_are_those_of_the_policy_that_judged(share):
    policy = ReviewPolicy.objects.create(
        rules={"other_entity": {"threshold": 1, "holds": True, "reviewers": 1}},
        starts_at=NOW,
        made_by=person("administrator"),
        made_at=NOW,
        note="Test.",
    )
    ShareRequest.objects.filter(pk=share.pk).update(policy=policy)
    shown = evidence(share)
    assert shown.policy_version == policy.pk
    assert [(row.code, row.reviewers) for row in shown.rules] == [("other_entity", 1)]


def test_the_history_of_the_devices_of_both_is_told(share):
    shown = evidence(share)
    assert shown.device.kind == "dsc_plus"
    assert [(use.username, use.is_borrowed, use.state) for use in shown.device.uses] == [
        ("robin.trust", False, "active"),
        ("robin.calder", True, "pending"),
    ]
    assert [(device.kind, device.uses[0].username) for device in shown.devices] == [
        ("code_card", "robin.calder")
    ]
    assert "30010024" not in str(shown.as_data())


def test_alerts_tell_of_locks_flags_resets_numbers_and_denied_logins(share):
    owner = share.owner
    PasswordReset.objects.create(
        user=owner,
        session="",
        password_mark="",
        state="done",
        started_at=NOW,
        expires_at=NOW,
        proven_at=NOW - timedelta(days=1),
    )
    PhoneNumber.objects.filter(entity=owner.entity).update(verified_at=NOW - timedelta(days=2))
    AuditEvent.objects.create(
        number=AuditEvent.objects.count() + 1,
        at=NOW - timedelta(days=3),
        event="sls.login.disowned",
        subject=owner.username,
        previous_hash="p",
        hash="h",
    )
    type(owner).objects.filter(pk=owner.pk).update(locked_at=NOW)
    type(owner.entity).objects.filter(pk=owner.entity_id).update(compliance_flag=True)
    found = [(alert.code, alert.username) for alert in evidence(share).alerts]
    assert found == [
        ("locked", owner.username),
        ("flagged", owner.username),
        ("login_disowned", owner.username),
        ("number_verified", owner.username),
        ("password_reset", owner.username),
    ]
    later = evidence(share, now=NOW + timedelta(days=31))
    assert later.alerts == evidence(share).alerts  # passing time changes no evidence
    type(share).objects.filter(pk=share.pk).update(submitted_at=NOW + timedelta(days=31))
    again = evidence(shares().get(pk=share.pk))
    assert [alert.code for alert in again.alerts] == ["locked", "flagged"]


def test_the_clients_own_words_are_shown(share):
    assert evidence(share).note == "For my trust's account."


def test_nothing_unmasked_is_stored(share):
    """The numbers, their indexes and the whole date of birth are for the digest only."""
    stored = json.dumps(evidence(share).as_data(), ensure_ascii=False)
    entity = share.requester.entity
    for secret in ("LX2047713", "2047713", entity.document_number_index, "1979-03-14"):
        assert secret not in stored
    assert "1979-03-14" not in repr(evidence(share))


def test_stored_evidence_reads_as_it_was_in_any_language(share):
    shown = evidence(share)
    stored = json.loads(json.dumps(shown.as_data()))
    assert Evidence.read(stored) == shown
    with translation.override("zh-hans"):
        assert Evidence.read(stored).fields[0].label == "姓名/名称"
        assert Evidence.read(stored).rules[0].label == "两个用户名属于不同的实体"


def test_the_digest_is_the_same_until_something_changes(share):
    before = digest(share)
    assert digest(share, NOW + timedelta(hours=5)) == before
    assert len(before) == 64
    entity = share.owner.entity
    entity.set_number("document_number", "LX 204 7713")
    entity.save()
    assert digest(share) == before  # the same number in another spelling
    entity.set_number("document_number", "LX 204 7714")
    entity.save()
    assert digest(share) != before


def test_an_officers_claim_is_no_change_of_the_evidence(share):
    from compliance.review import operations

    entitle("officer", *RIGHTS)
    before = digest(share)
    operations.claim(share.pk, by=at_desk("officer"), now=NOW)
    assert digest(share) == before


@pytest.mark.parametrize(
    ("later", "overdue"),
    [(timedelta(days=2), False), (timedelta(days=3), True), (timedelta(0), False)],
)
def test_a_case_is_overdue_after_its_business_days(share, later, overdue):
    case = queries.case_of(share.pk, now=NOW + later)
    assert case.due_on == date(2026, 11, 25)  # NOW is a Monday
    assert case.is_overdue is overdue
