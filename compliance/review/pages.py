"""What the page of a case says besides the evidence: what is to be done, what happened, what clients read."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as say
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from compliance import events
from compliance.models import Verdict
from portal.models import AuditEvent, User
from portal.outbox import rendering
from sls.models import ShareRequest, ShareState
from sls.sharing import completion
from sls.sharing.rules import RejectionReason

from . import persons
from .queries import Case
from .rules import reason_in_words

MOST_EVENTS = 200
EVENT_LABELS: dict[str, str | Promise] = {
    events.CASE_CLAIMED: _("Claimed"),
    events.CASE_RELEASED: _("Given back to the queue"),
    events.CASE_HANDED_OVER: pgettext_lazy("a case", "Handed over"),
    events.CASE_RECOMMENDED: _("Recommended"),
    events.CASE_DECIDED: _("Decided"),
    events.CASE_ESCALATED: _("Reported as overdue"),
    events.EVIDENCE_UNMASKED: _("Looked at in full"),
}


@dataclass(frozen=True)
class ToDo:
    """`stage` is a stable word; `acts` are those of claim, release, hand_over, recommend and decide."""

    stage: str
    title: str
    sentence: str
    acts: frozenset[str] = frozenset()


def to_do(case: Case, me: User) -> ToDo:
    """Where the case stands, and what `me` may do about it now. The operations check it all again."""
    review = case.review
    may_assign = me.has_perm(persons.ASSIGN)
    if not case.is_waiting:
        return _over(case)
    if not me.has_perm(persons.WORK):
        return ToDo("waiting", say("Waits for an officer"), _next_step(case))
    if review is None or review.claimed_by is None:
        acts = {"claim"} | ({"hand_over"} if may_assign else set())
        if case.is_recommended and review and review.recommended_by_id == me.pk:
            words = say("You have recommended; another officer claims the case and decides.")
            return ToDo("recommended", say("Waits for a second officer"), words)
        return ToDo("free", say("Nobody works on this case"), _next_step(case), frozenset(acts))
    if review.claimed_by_id != me.pk:
        who = {"who": review.claimed_by.username}
        acts = {"release", "hand_over"} if may_assign else set()
        title = say("%(who)s works on this case") % who
        return ToDo("claimed_by_another", title, _next_step(case), frozenset(acts))
    acts = {"release", "hand_over"}
    if case.needs_recommendation:
        acts.add("recommend")
    elif me.has_perm(persons.DECIDE):
        acts.add("decide")
    return ToDo("mine", say("You work on this case"), _next_step(case), frozenset(acts))


def _next_step(case: Case) -> str:
    if case.has_void_recommendation:
        return say(
            "The recommendation no longer counts: the data have changed since, or whoever made it may no "
            "longer work on cases. One officer recommends anew; then another one decides."
        )
    if case.needs_recommendation:
        return say("One officer recommends; then a second one, who is another person, decides.")
    if case.review and case.review.recommendation == Verdict.REJECT:
        return say("The recommendation is to reject: a second officer can reject, not approve.")
    if case.reviewers > 1:
        return say("There is a recommendation. A second officer decides.")
    return say("One officer is enough: he decides without a recommendation.")


def _over(case: Case) -> ToDo:
    review = case.review
    if review and review.decided_by:
        words = say("%(who)s has decided: %(verdict)s.") % {
            "who": review.decided_by.username,
            "verdict": review.get_decision_display(),
        }
        return ToDo("decided", say("This request has been decided"), words)
    state = ShareState(case.share.state)
    if state == ShareState.ENFORCED:
        words = say("No rule held it; nobody had to decide.")
        return ToDo("at_once", say("In force without a review"), words)
    return ToDo("over", say("This request no longer waits"), str(state.label))


@dataclass(frozen=True)
class Happened:
    at: datetime
    who: str
    label: str
    detail: str
    refused: str


def history(share: ShareRequest, *, now: datetime) -> list[Happened]:
    """What officers did and tried, the newest first. Only the time in which the request waited is read."""
    assert share.submitted_at is not None
    rows: QuerySet[AuditEvent] = AuditEvent.objects.filter(
        event__in=EVENT_LABELS,
        facts__share=str(share.pk),
        at__range=(share.submitted_at, share.ended_at or share.approved_at or now),
    )
    return [_happened(row) for row in rows.order_by("-number")[:MOST_EVENTS]]


def _happened(row: AuditEvent) -> Happened:
    facts: dict[str, Any] = row.facts
    verdict = facts.get("verdict", "")
    parts = [
        str(Verdict(verdict).label) if verdict in Verdict.values else "",
        reason_in_words(facts["reason"]) if facts.get("reason") else "",
        f"→ {facts['to']}" if facts.get("to") else "",
        facts.get("field", ""),
    ]
    return Happened(
        at=row.at,
        who=row.actor,
        label=str(EVENT_LABELS[row.event]),
        detail=", ".join(part for part in parts if part),
        refused=facts.get("refused", ""),
    )


@dataclass(frozen=True)
class Letter:
    """A message as one party would read it; `is_sent` in his own language, the others to compare."""

    side: str
    username: str
    language: str
    language_name: str
    is_sent: bool
    subject: str
    text: str


def letters(share: ShareRequest, verdict: Verdict, reason: str, *, now: datetime) -> list[Letter]:
    """What both would be told, in every language; nothing is saved or sent."""
    rejection = RejectionReason(reason) if verdict == Verdict.REJECT else None  # type: ignore[call-arg]
    drafts = completion.letters(share, rejection=rejection, now=now)
    found = []
    for side, row in zip(("requester", "owner"), drafts, strict=True):
        sent_in = row.language
        for code, name in sorted(settings.LANGUAGES, key=lambda known: known[0] != sent_in):
            row.language = code
            shown = rendering.render(row)
            found.append(
                Letter(
                    side, row.user.username, code, name, code == sent_in, shown.subject, shown.text
                )
            )
    return found
