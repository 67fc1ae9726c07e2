"""
Why a share is looked at before it is in force, and by how many. Pure.

What was found about a request is a number for each reason (1 where something simply holds, 0 where it does
not); a policy says from which number on a reason counts. So a stored request can be put to another policy.
Source: facts.md section 12; signals over the graph of grants: peers.md idea 11.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class ReviewReason(TextChoices):
    """Why Compliance looks at a request before it is in force."""

    OTHER_ENTITY = "other_entity", _("The usernames belong to different entities")
    DOCUMENT_EXPIRED = "document_expired", _("An identification document has expired")
    COMPLIANCE_FLAG = "compliance_flag", _("An account carries a compliance flag")
    RECENTLY_REFUSED = "recently_refused", _("The same request was refused in the last 24 hours")
    NEW_SHARES = "new_shares", _("The device was shared with others in the last 7 days")
    RECENT_CHANGE = (
        "recent_change",
        _("A phone or a password was replaced in the 24 hours before the request"),
    )
    SEVERAL_ENTITIES = "several_entities", _("The device serves several entities already")


# Signals over the graph of grants: they call for more eyes, and are told to officers only.
SIGNALS = frozenset(
    {ReviewReason.NEW_SHARES, ReviewReason.RECENT_CHANGE, ReviewReason.SEVERAL_ENTITIES}
)
SIGNAL_DAYS = 7  # how far NEW_SHARES looks back
SIGNAL_HOURS = 24  # and RECENT_CHANGE


@dataclass(frozen=True)
class Rule:
    """
    A reason counts when what was found reaches `threshold`. One that `holds` keeps the share waiting; one
    that does not only adds its weight to a request which waits anyway. `reviewers` (1 or 2) must agree.
    """

    threshold: int = 1
    holds: bool = True
    reviewers: int = 2


@dataclass(frozen=True)
class Policy:
    """The rules of a time, by reason; a reason without a rule is switched off. `version` 0: as shipped."""

    version: int
    rules: Mapping[str, Rule]


@dataclass(frozen=True)
class Outcome:
    """`reviewers` is 0 for a share that is approved, processed and enforced at once."""

    reasons: tuple[str, ...]
    reviewers: int


SHIPPED: Mapping[str, Rule] = MappingProxyType(
    {
        ReviewReason.OTHER_ENTITY: Rule(reviewers=2),
        ReviewReason.DOCUMENT_EXPIRED: Rule(reviewers=1),
        ReviewReason.COMPLIANCE_FLAG: Rule(reviewers=2),
        ReviewReason.RECENTLY_REFUSED: Rule(reviewers=2),
        ReviewReason.NEW_SHARES: Rule(threshold=2, holds=False, reviewers=2),
        ReviewReason.RECENT_CHANGE: Rule(holds=False, reviewers=2),
        ReviewReason.SEVERAL_ENTITIES: Rule(threshold=2, holds=False, reviewers=2),
    }
)
AS_SHIPPED = Policy(0, SHIPPED)


def reviewers_of(stored: int) -> int:
    """How many must agree to a request that waits; two to one that is older than the policies."""
    return stored or 2


def outcome(policy: Policy, found: Mapping[str, int]) -> Outcome:
    """What `policy` makes of what was `found`, by reason."""
    counting = {
        code: rule for code, rule in policy.rules.items() if found.get(code, 0) >= rule.threshold
    }
    if not any(rule.holds for rule in counting.values()):
        return Outcome((), 0)
    return Outcome(tuple(counting), max(rule.reviewers for rule in counting.values()))
