"""
Changing the review rules: the next policy is scheduled, or withdrawn before it starts.

Threat: rules changed in silence, backwards in time, or over a colleague's head. So the database keeps a
policy as it is, the change says what it follows, and the audit trail holds the rules themselves.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from compliance import events
from portal import audit
from portal.backends import staff_now
from portal.caller import Caller
from portal.errors import Refused
from portal.models import User
from sls.models import ReviewPolicy
from sls.review import Rule

from . import queries
from .rules import LONGEST_NOTE, PolicyRefusal, are_valid

SET_RULES = "sls.add_reviewpolicy"
LEAD = timedelta(minutes=1)  # so that no share is judged by rules older than it, while this commits


def schedule(
    *,
    rules: Mapping[str, Rule],
    starts_at: datetime | None,
    note: str,
    follows: int,
    by: Caller,
    now: datetime,
) -> ReviewPolicy:
    """
    New rules from `starts_at` (None: in a minute), which ends the policy before them; `follows` is its
    version as the author knew it, 0 for none. Raises Refused.
    """
    starts_at = starts_at or now + LEAD
    facts = {"starts_at": starts_at.isoformat(), "follows": follows}
    with audit.refusals(event=events.POLICY_SCHEDULED, by=by, subject=None, at=now, **facts):
        try:
            return _schedule(rules, starts_at, note, follows, by=by, now=now)
        except IntegrityError as error:  # another first policy, or one with the same start
            raise Refused(PolicyRefusal.OVERTAKEN) from error


@transaction.atomic(durable=True)
def _schedule(
    wanted: Mapping[str, Rule],
    starts_at: datetime,
    note: str,
    follows: int,
    *,
    by: Caller,
    now: datetime,
) -> ReviewPolicy:
    author = _author(by)
    if not are_valid(wanted):
        raise Refused(PolicyRefusal.RULES_INVALID)
    why = _stripped(note)
    if starts_at < now + LEAD:
        raise Refused(PolicyRefusal.STARTS_TOO_EARLY)
    _end_predecessor(follows, starts_at)
    policy = ReviewPolicy.objects.create(
        rules={str(code): asdict(rule) for code, rule in wanted.items()},
        starts_at=starts_at,
        made_by=author,
        made_at=now,
        note=why,
    )
    audit.record(
        event=events.POLICY_SCHEDULED,
        by=by,
        subject=None,
        at=now,
        version=policy.pk,
        follows=follows,
        **_content(policy),
    )
    return policy


def _end_predecessor(follows: int, starts_at: datetime) -> None:
    before = queries.last_policy()
    if (before.pk if before else 0) != follows:
        raise Refused(PolicyRefusal.OVERTAKEN)
    if before is None:
        return
    if starts_at <= before.starts_at:
        raise Refused(PolicyRefusal.BEFORE_THE_LAST)
    still_last = ReviewPolicy.objects.filter(pk=before.pk, ends_at__isnull=True)
    if not still_last.update(ends_at=starts_at):
        raise Refused(PolicyRefusal.OVERTAKEN)


def withdraw(version: int, *, note: str, by: Caller, now: datetime) -> None:
    """
    Take back a policy that has not started; the one before it goes on without an end. What was planned
    stays in the audit trail, and its version is not given again. Raises Refused.
    """
    with audit.refusals(
        event=events.POLICY_WITHDRAWN, by=by, subject=None, at=now, version=version
    ):
        _withdraw(version, note, by=by, now=now)


@transaction.atomic(durable=True)
def _withdraw(version: int, note: str, *, by: Caller, now: datetime) -> None:
    _author(by)
    why = _stripped(note)
    # Locked, so that nothing comes to follow it meanwhile.
    policy = ReviewPolicy.objects.select_for_update().filter(pk=version).first()
    if policy is None:
        raise Refused(PolicyRefusal.OVERTAKEN)
    if policy.starts_at <= now + LEAD:
        raise Refused(PolicyRefusal.HAS_STARTED)
    if policy.ends_at is not None:
        raise Refused(PolicyRefusal.NOT_THE_LAST)
    content = _content(policy)
    policy.delete()
    before = ReviewPolicy.objects.filter(ends_at=policy.starts_at)
    follows = before.first()
    before.update(ends_at=None)
    audit.record(
        event=events.POLICY_WITHDRAWN,
        by=by,
        subject=None,
        at=now,
        version=version,
        why=why,
        follows=follows.pk if follows else 0,
        **content,
    )


def _content(policy: ReviewPolicy) -> dict[str, Any]:
    return {
        "starts_at": policy.starts_at.isoformat(),
        "rules": policy.rules,
        "note": policy.note,
    }


def _stripped(note: str) -> str:
    if not 0 < len(note.strip()) <= LONGEST_NOTE:
        raise Refused(PolicyRefusal.NOTE_MISSING)
    return note.strip()


def _author(by: Caller) -> User:
    author = staff_now(by, SET_RULES)
    if author is None:
        raise Refused(PolicyRefusal.NOT_ALLOWED)
    return author
