"""The sharing rules as tables, without a database."""

from dataclasses import replace
from datetime import date
from itertools import combinations

import pytest

from portal.identity import Identification
from sls.review import AS_SHIPPED, SIGNALS, Policy, ReviewReason, Rule, outcome
from sls.sharing.rules import (
    Facts,
    Party,
    RejectionReason,
    ShareRefusal,
    findings,
    is_same_person,
    refusals,
    refusals_of_requester,
)

DATA = Identification(date(1979, 3, 14), "NZ", "NZ", "passport", "k:1", "")
ME = Party("robin.calder", "an entity", DATA)
OWNER = replace(ME, username="robin.savings")
ELSEWHERE = replace(OWNER, entity="another entity")
SOMEBODY = replace(ELSEWHERE, identification=replace(DATA, document_number="k:2"))
FINE = Facts(
    requester=ME, owner=OWNER, device_is_lendable=True, device_level=30, strongest_level=30
)


HOLDING = [reason for reason in ReviewReason if reason not in SIGNALS]


def reasons(facts, switched_on=tuple(HOLDING)):
    policy = Policy(1, {code: Rule() for code in switched_on})
    return list(outcome(policy, findings(facts)).reasons)


AGAINST = {
    ShareRefusal.SAME_USER: {"owner": ME},
    ShareRefusal.BORROWED_DEVICE: {"owner_borrows": True},
    ShareRefusal.NO_SHAREABLE_DEVICE: {"device_is_lendable": False},
    ShareRefusal.REQUEST_PENDING: {"request_is_pending": True},
    ShareRefusal.ALREADY_SHARED: {"requester_borrows": True},
    ShareRefusal.LENT_DEVICE: {"requester_lends": True},
    ShareRefusal.TEMPORARY_DEVICE: {"holders_of_temporary": frozenset({"robin.travel"})},
    ShareRefusal.LESS_SECURE_DEVICE: {"device_level": 10},
    ShareRefusal.DIFFERENT_IDENTIFICATION: {"owner": SOMEBODY},
}
OF_REQUESTER = [
    ShareRefusal.REQUEST_PENDING,
    ShareRefusal.ALREADY_SHARED,
    ShareRefusal.LENT_DEVICE,
]


def test_nothing_stands_against_a_share_between_ones_own_usernames():
    assert refusals(FINE) == []
    assert reasons(FINE) == []


@pytest.mark.parametrize("refusal", AGAINST, ids=lambda refusal: refusal.code)
def test_each_fact_brings_its_refusal_and_no_other(refusal):
    assert refusals(replace(FINE, **AGAINST[refusal])) == [refusal]


@pytest.mark.parametrize(("first", "second"), list(combinations(AGAINST, 2)))
def test_of_several_refusals_the_first_of_the_table_is_told_first(first, second):
    if {"owner"} <= AGAINST[first].keys() & AGAINST[second].keys():
        changed = {"owner": replace(SOMEBODY, username=ME.username)}
    else:
        changed = AGAINST[first] | AGAINST[second]
    assert refusals(replace(FINE, **changed)) == [first, second]


@pytest.mark.parametrize("refusal", AGAINST, ids=lambda refusal: refusal.code)
def test_only_what_is_about_the_requester_is_told_before_the_proof(refusal):
    expected = [refusal] if refusal in OF_REQUESTER else []
    assert refusals_of_requester(replace(FINE, **AGAINST[refusal])) == expected


LEVELS = [
    (30, 30, True),
    (30, 10, True),
    (10, 10, True),
    (10, 0, True),
    (10, 30, False),
    (29, 30, False),
]


@pytest.mark.parametrize(("device", "strongest", "allowed"), LEVELS)
def test_the_device_is_at_least_as_strong_as_every_participants(device, strongest, allowed):
    facts = replace(FINE, device_level=device, strongest_level=strongest)
    assert (refusals(facts) == []) is allowed


EMPTY = Identification(None, "", "", "", "", "")
SAME_PERSON = [
    (ME, OWNER, True),
    (ME, ELSEWHERE, True),
    (ME, SOMEBODY, False),
    (ME, replace(SOMEBODY, entity=ME.entity), True),
    (replace(ME, identification=EMPTY), replace(ELSEWHERE, identification=EMPTY), False),
    (replace(ME, identification=EMPTY), replace(OWNER, identification=EMPTY), True),
]


@pytest.mark.parametrize(("a", "b", "expected"), SAME_PERSON)
def test_the_same_entity_or_the_same_data_is_the_same_person(a, b, expected):
    assert is_same_person(a, b) is is_same_person(b, a) is expected


EXPIRED = replace(ME, document_has_expired=True)
FLAGGED = replace(OWNER, has_compliance_flag=True)
REVIEWED = {
    "another entity": ({"owner": ELSEWHERE}, [ReviewReason.OTHER_ENTITY]),
    "expired, requester": ({"requester": EXPIRED}, [ReviewReason.DOCUMENT_EXPIRED]),
    "expired, owner": (
        {"owner": replace(OWNER, document_has_expired=True)},
        [ReviewReason.DOCUMENT_EXPIRED],
    ),
    "flag, requester": (
        {"requester": replace(ME, has_compliance_flag=True)},
        [ReviewReason.COMPLIANCE_FLAG],
    ),
    "flag, owner": ({"owner": FLAGGED}, [ReviewReason.COMPLIANCE_FLAG]),
    "just refused": ({"was_recently_refused": True}, [ReviewReason.RECENTLY_REFUSED]),
    "everything": (
        {
            "requester": EXPIRED,
            "owner": replace(FLAGGED, entity="another entity"),
            "was_recently_refused": True,
        },
        HOLDING,
    ),
}


@pytest.mark.parametrize(("changed", "expected"), REVIEWED.values(), ids=REVIEWED)
def test_what_somebody_must_look_at_first(changed, expected):
    facts = replace(FINE, **changed)
    assert reasons(facts) == expected
    assert reasons(facts, ()) == []
    assert reasons(facts, (expected[0],)) == expected[:1]


SIGNALLED = {
    ReviewReason.NEW_SHARES: [({"new_shares": 1}, False), ({"new_shares": 2}, True)],
    ReviewReason.RECENT_CHANGE: [({"has_recent_change": True}, True)],
    ReviewReason.SEVERAL_ENTITIES: [
        ({"entities_of_device": 1}, False),
        ({"entities_of_device": 2}, True),
    ],
}


@pytest.mark.parametrize("reason", sorted(SIGNALS), ids=str)
def test_a_signal_calls_for_a_second_reviewer_and_never_holds_a_share_alone(reason):
    for changed, counts in SIGNALLED[reason]:
        alone = outcome(AS_SHIPPED, findings(replace(FINE, **changed)))
        assert (alone.reasons, alone.reviewers) == ((), 0)
        waiting = outcome(AS_SHIPPED, findings(replace(FINE, requester=EXPIRED, **changed)))
        assert waiting.reviewers == (2 if counts else 1)
        assert (reason in waiting.reasons) is counts


@pytest.mark.parametrize(
    "refusal", [*ShareRefusal, *RejectionReason], ids=lambda refusal: refusal.code
)
def test_every_refusal_says_what_why_and_what_now(refusal):
    assert str(refusal.title)
    assert str(refusal.sentence).endswith(".")
    assert str(refusal.cure).endswith(".")
    assert refusal.help_slug in ("kb2481", "share-messages")
    assert refusal.help_anchor in ("", refusal.code)
