"""What a change of the rules does to known requests: tables of cases."""

import pytest

from compliance.policy.rules import FlipKind, are_valid, compare, flip_of, rule_rows
from sls.review import SHIPPED, Outcome, Policy, ReviewReason, Rule

NOBODY = Outcome((), 0)
ONE = Outcome(("document_expired",), 1)
TWO = Outcome(("other_entity",), 2)


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (NOBODY, NOBODY, None),
        (NOBODY, ONE, FlipKind.HELD),
        (NOBODY, TWO, FlipKind.HELD),
        (ONE, NOBODY, FlipKind.FREED),
        (TWO, NOBODY, FlipKind.FREED),
        (ONE, TWO, FlipKind.MORE_REVIEWERS),
        (TWO, ONE, FlipKind.FEWER_REVIEWERS),
        (TWO, Outcome(("compliance_flag",), 2), None),
    ],
)
def test_an_outcome_flips_when_another_number_of_persons_looks_at_it(before, after, kind):
    assert flip_of(before, after) == kind


def test_flips_are_found_in_the_order_of_the_requests_and_counted_by_kind():
    before = Policy(3, {"other_entity": Rule(reviewers=2), "document_expired": Rule(reviewers=1)})
    after = Policy(0, {"document_expired": Rule(reviewers=2), "new_shares": Rule(threshold=3)})
    requests = [
        ("entity", {"other_entity": 1, "document_expired": 0, "new_shares": 0}),
        ("document", {"other_entity": 0, "document_expired": 1, "new_shares": 0}),
        ("nothing", {"other_entity": 0, "document_expired": 0, "new_shares": 2}),
        ("signal", {"other_entity": 0, "document_expired": 0, "new_shares": 3}),
        ("both", {"other_entity": 1, "document_expired": 1, "new_shares": 0}),
        ("old", {"other_entity": 1}),
    ]

    found = compare(before, after, requests)

    assert [(flip.key, flip.kind) for flip in found.flips] == [
        ("entity", FlipKind.FREED),
        ("document", FlipKind.MORE_REVIEWERS),
        ("signal", FlipKind.HELD),
        ("old", FlipKind.FREED),
    ]
    assert dict(found.counts) == {
        FlipKind.HELD: 1,
        FlipKind.FREED: 2,
        FlipKind.MORE_REVIEWERS: 1,
        FlipKind.FEWER_REVIEWERS: 0,
    }
    assert (found.total, found.held_before, found.held_after) == (6, 4, 3)
    assert found.unmeasured == {"document_expired": 1, "new_shares": 1}


def test_nothing_flips_by_the_same_rules():
    policy = Policy(0, SHIPPED)
    requests = [(code, {code: 1}) for code in ReviewReason.values]
    assert compare(policy, policy, requests).flips == ()


@pytest.mark.parametrize(
    ("code", "rule", "is_valid"),
    [
        ("other_entity", Rule(), True),
        ("other_entity", Rule(threshold=1000, reviewers=1), True),
        ("other_entity", Rule(threshold=0), False),
        ("other_entity", Rule(threshold=1001), False),
        ("other_entity", Rule(reviewers=0), False),
        ("other_entity", Rule(reviewers=3), False),
        ("no_such_reason", Rule(), False),
    ],
)
def test_rules_have_known_reasons_and_bounded_numbers(code, rule, is_valid):
    assert are_valid({code: rule}) is is_valid


def test_a_table_of_rules_has_every_reason_and_marks_what_is_changed():
    before = Policy(1, {"other_entity": Rule(), "document_expired": Rule()})
    after = Policy(0, {"other_entity": Rule(reviewers=1), "document_expired": Rule()})
    rows = rule_rows(after, before)
    assert [row.reason for row in rows] == list(ReviewReason)
    assert [row.reason for row in rows if row.is_changed] == ["other_entity"]
    assert not any(row.is_changed for row in rule_rows(after))
