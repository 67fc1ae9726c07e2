"""
Why an officer may not act on a case, and the reasons he gives. Pure.

Source: facts.md section 12; who decides is never who asked, nor the same person under another name
(abuse-cases.md R12).
"""

from datetime import datetime
from typing import Any

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from portal.errors import Reason, Refused
from sls.sharing.rules import RejectionReason

LONGEST_NOTE = 2000
MASKED_FIELDS = ("date_of_birth", "document_number", "social_security_number")


class ApprovalReason(TextChoices):
    """Why a request is approved; stays inside the house."""

    SAME_PERSON = "same_person", _("The data on record show one person")
    CONFIRMED_BY_CLIENT = "confirmed_by_client", _("The client confirmed the request by telephone")
    DOCUMENT_RENEWED = "document_renewed", _("A current document has been seen")
    FLAG_EXPLAINED = "flag_explained", _("The compliance flag has no bearing on this request")
    REFUSAL_CLEARED = "refusal_cleared", _("What led to the earlier refusal has been put right")


class CaseRefusal(Reason):
    NOT_ALLOWED = (
        "not_allowed",
        _("You may not do this"),
        _("Your right to do this was withdrawn, or you never had it."),
        _("Ask the lead of the Compliance department."),
    )
    OWN_CASE = (
        "own_case",
        _("This request is your own"),
        _("You, or another username of yours, take part in it."),
        _("Leave it to a colleague: nobody decides about himself."),
    )
    SAME_OFFICER = (
        "same_officer",
        _("A second person is needed"),
        _("Whoever recommended, or another username of his, cannot decide as well."),
        _("Leave the decision to a colleague."),
    )
    WEAKER_DEVICE = (
        "weaker_device",
        _("Your device is too weak for this case"),
        _(
            "Whoever decides about a device has proven, in this session, one with at least the same "
            "level of protection."
        ),
        _("Log in with a stronger device, then come back."),
    )
    CLAIMED = (
        "claimed_by_another",
        _("A colleague is working on this case"),
        _("It was claimed by somebody else."),
        _("Take another case, or ask for it to be handed over to you."),
    )
    NOT_CLAIMED = (
        "not_claimed",
        _("You have not claimed this case"),
        _("It is free, or a colleague is working on it."),
        _("Look at it once more."),
    )
    RECOMMENDED = (
        "already_recommended",
        _("There is a recommendation already"),
        _("The case waits for the decision of a second person."),
        _("Look at the recommendation."),
    )
    RECOMMENDATION_FIRST = (
        "recommendation_first",
        _("A recommendation is needed first"),
        _("Two persons look at this case: one recommends, another one decides."),
        _("Recommend, and leave the decision to a colleague."),
    )
    NOT_AGREED = (
        "not_agreed",
        _("Both have to agree to an approval"),
        _("Two persons look at this case, and the first one recommended to reject the request."),
        _("Reject it, or release the case; the client may ask again."),
    )
    RECOMMENDATION_VOID = (
        "recommendation_void",
        _("The recommendation no longer counts"),
        _(
            "The data have changed since it was made, or the colleague who made it may no longer work on "
            "cases."
        ),
        _("Recommend anew, and leave the decision to a colleague."),
    )
    DATA_CHANGED = (
        "data_changed",
        _("The data have changed"),
        _("Something has changed since this page was opened, so nothing was done."),
        _("Review the case again."),
    )
    DECIDED = (
        "already_decided",
        _("This request has been decided"),
        _("Somebody else was faster. Nothing was done."),
        _("Look at the decision."),
    )
    REQUEST_OVER = (
        "request_over",
        _("This request no longer waits"),
        _("It was withdrawn or ended meanwhile. Nothing was done."),
        _("Nothing is left to do."),
    )
    UNKNOWN_CASE = (
        "unknown_case",
        _("There is no such request"),
        _("No request with this number waits for Compliance."),
        _("Look at the queue."),
    )
    UNKNOWN_REASON = (
        "unknown_reason",
        _("The reason does not fit"),
        _("An approval and a rejection have different reasons, and each needs one."),
        _("Choose one from the list."),
    )
    NOTE_MISSING = (
        "note_missing",
        _("A note is needed"),
        _("Every recommendation and decision says in a few words what was looked at."),
        _("Write the note, in at most 2,000 characters."),
    )
    WRONG_OFFICER = (
        "wrong_officer",
        _("This colleague cannot take the case"),
        _(
            "The username is unknown or deactivated, may not work on cases, takes part in the "
            "request, or has recommended already."
        ),
        _("Name somebody else."),
    )
    NOTHING_TO_UNMASK = (
        "nothing_to_unmask",
        _("Nothing to show"),
        _("There is no such field, or it is empty."),
        _("Choose a field that is masked."),
    )


class Conflict(Refused):
    """Somebody was faster. `who` did it and `at` which time, for the page; empty when nobody is known."""

    def __init__(
        self, reason: Reason, *, who: str = "", at: datetime | None = None, **facts: Any
    ) -> None:
        super().__init__(reason, **facts, **({"other": who} if who else {}))
        self.who = who
        self.at = at


def approval_reasons() -> list[tuple[str, Any]]:
    """Code and words of the reasons an approval may have, for a form."""
    return list(ApprovalReason.choices)


def rejection_reasons() -> list[tuple[str, Any]]:
    """Code and words of the reasons a rejection may have, for a form."""
    return [(reason.code, reason.title) for reason in RejectionReason]


def reason_in_words(code: str) -> str:
    """The words of a stored reason; a code that no longer exists stays a bare code."""
    words = {code: str(label) for code, label in [*approval_reasons(), *rejection_reasons()]}
    return words.get(code, code)


def masked_number(number: str) -> str:
    """The last two characters of a number, if it is long enough to keep the rest to itself."""
    if not number:
        return ""
    return f"•••{number[-2:]}" if len(number) > 5 else "•••"
