"""
What a change of the review rules would do to requests that are known. Pure.

Source: peers.md idea 10; the shape of a rule: `sls.review`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from portal.errors import Reason
from sls.review import SIGNALS, Outcome, Policy, ReviewReason, Rule, outcome

MOST_REVIEWERS = 2
HIGHEST_THRESHOLD = 1000
LONGEST_NOTE = 500


class PolicyRefusal(Reason):
    NOT_ALLOWED = (
        "policy_not_allowed",
        _("You may not do this"),
        _("Your right to set review rules was withdrawn, or you never had it."),
        _("Ask the lead of the Compliance department."),
    )
    STARTS_TOO_EARLY = (
        "policy_starts_too_early",
        _("The start lies in the past"),
        _("Rules hold from a moment that is still to come; what was judged stays judged."),
        _("Choose a later start, or leave it empty."),
    )
    BEFORE_THE_LAST = (
        "policy_before_the_last",
        _("Later rules are scheduled already"),
        _("New rules start after the last ones that are scheduled."),
        _("Choose a later start, or withdraw the scheduled rules first."),
    )
    OVERTAKEN = (
        "policy_overtaken",
        _("The rules have changed meanwhile"),
        _("Somebody else has scheduled or withdrawn rules since this page was opened."),
        _("Rehearse your rules once more, against those that hold now."),
    )
    NOTE_MISSING = (
        "policy_note_missing",
        _("A reason is needed"),
        _("Every change of the rules says why it is made."),
        _("Write the reason, in at most 500 characters."),
    )
    RULES_INVALID = (
        "policy_rules_invalid",
        _("These rules cannot be"),
        _("A rule has a known reason, a number from 1 to 1,000 and one or two reviewers."),
        _("Correct the rules."),
    )
    HAS_STARTED = (
        "policy_has_started",
        _("These rules hold already"),
        _(
            "Rules that have started, or start within a minute, are never changed, only followed by "
            "the next."
        ),
        _("Schedule new rules."),
    )
    NOT_THE_LAST = (
        "policy_not_the_last",
        _("Other rules follow these"),
        _("Only the last of the scheduled rules can be withdrawn."),
        _("Withdraw those first which start later."),
    )


def are_valid(rules: Mapping[str, Rule]) -> bool:
    return all(
        code in ReviewReason.values
        and 1 <= rule.threshold <= HIGHEST_THRESHOLD
        and 1 <= rule.reviewers <= MOST_REVIEWERS
        for code, rule in rules.items()
    )


class FlipKind(TextChoices):
    """How the outcome of a request would change."""

    HELD = "held", _("At once → review")
    FREED = "freed", _("Review → at once")
    MORE_REVIEWERS = "more_reviewers", _("One reviewer → two reviewers")
    FEWER_REVIEWERS = "fewer_reviewers", _("Two reviewers → one reviewer")


def flip_of(before: Outcome, after: Outcome) -> FlipKind | None:
    """None when as many look at it as before, whatever the reasons."""
    if before.reviewers == after.reviewers:
        return None
    if not before.reviewers:
        return FlipKind.HELD
    if not after.reviewers:
        return FlipKind.FREED
    return (
        FlipKind.MORE_REVIEWERS if after.reviewers > before.reviewers else FlipKind.FEWER_REVIEWERS
    )


@dataclass(frozen=True)
class Flip:
    """One request, by its `key`, whose outcome would be another."""

    key: Any
    kind: FlipKind
    before: Outcome
    after: Outcome


@dataclass(frozen=True)
class Comparison:
    """
    `flips` in the order of the requests. `held_before` and `held_after` count requests that wait for
    anybody. `unmeasured`, by reason: requests at whose time the reason was not looked for yet, so that
    nobody can say whether it would have counted.
    """

    total: int
    flips: tuple[Flip, ...]
    held_before: int
    held_after: int
    unmeasured: Mapping[str, int]

    @property
    def counts(self) -> list[tuple[FlipKind, int]]:
        """Every kind with its number, in a fixed order, zeros included."""
        found = Counter(flip.kind for flip in self.flips)
        return [(kind, found[kind]) for kind in FlipKind]


def compare(
    before: Policy, after: Policy, requests: Iterable[tuple[Any, Mapping[str, int]]]
) -> Comparison:
    """Put each request, a key and what was found about it, to both policies."""
    outcomes: dict[tuple[tuple[str, int], ...], tuple[Outcome, Outcome]] = {}
    flips: list[Flip] = []
    unmeasured: Counter[str] = Counter()
    total = held_before = held_after = 0
    for key, found in requests:
        same = tuple(sorted(found.items()))
        if same not in outcomes:
            outcomes[same] = outcome(before, found), outcome(after, found)
        was, would_be = outcomes[same]
        total += 1
        held_before += bool(was.reviewers)
        held_after += bool(would_be.reviewers)
        unmeasured.update(str(code) for code in after.rules if code not in found)
        if kind := flip_of(was, would_be):
            flips.append(Flip(key, kind, was, would_be))
    return Comparison(total, tuple(flips), held_before, held_after, dict(unmeasured))


@dataclass(frozen=True)
class RuleRow:
    """One reason in a table of rules; None where it is switched off. `before`: what it was until then."""

    reason: ReviewReason
    rule: Rule | None
    before: Rule | None
    is_changed: bool

    @property
    def is_signal(self) -> bool:
        return self.reason in SIGNALS


def rule_rows(policy: Policy, before: Policy | None = None) -> list[RuleRow]:
    """Every reason there is, in a fixed order."""
    rows = []
    for reason in ReviewReason:
        rule = policy.rules.get(reason)
        was = before.rules.get(reason) if before else None
        rows.append(RuleRow(reason, rule, was, is_changed=before is not None and rule != was))
    return rows
