"""When a number is asked, and refusals of a prompt. Pure."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from django.utils.translation import gettext_lazy as _

from portal.errors import Reason

LEAST_NUMBER, NUMBERS = 10, 90  # two digits without a leading zero
RESEND = timedelta(seconds=30)  # at most as often


class Decision(StrEnum):
    APPROVE = "approve"
    DENY = "deny"
    CANCEL = "cancel"


class Matching(StrEnum):
    """The setting NUMBER_MATCHING."""

    RISK = "risk"
    ALWAYS = "always"


@dataclass(frozen=True)
class Risk:
    """What is known of a login besides its right password: abuse-cases.md section 3, decision 1."""

    is_known_browser: bool
    is_known_address: bool
    had_failures: bool
    had_prompts: bool


def asks_number(risk: Risk, matching: str) -> bool:
    """A known browser at a known address is approved with a finger; everything else needs the number."""
    is_quiet = risk.is_known_browser and risk.is_known_address
    is_quiet = is_quiet and not (risk.had_failures or risk.had_prompts)
    return Matching(matching) is Matching.ALWAYS or not is_quiet


class PromptRefusal(Reason):
    UNKNOWN_PROMPT = (
        "unknown_prompt",
        _("There is no such request"),
        _("Nothing with this name waits on this phone."),
        _("Go back to the list of requests."),
    )
    PROMPT_OVER = (
        "prompt_over",
        _("This request is over"),
        _("It has expired or was decided already, or the login it belongs to is over."),
        _("Log in again to get a new one."),
        "kb3234",
    )
    WRONG_NUMBER = (
        "wrong_number",
        _("The number does not match"),
        _("It is not the number that the login page shows."),
        _("Look at the login page and enter the number. If you did not log in, deny the request."),
    )
    TOO_SOON = (
        "too_soon",
        _("The request was sent a moment ago"),
        _("A request is sent again every 30 seconds at most."),
        _("Open the app: the request waits there, whether a notification comes or not."),
        "kb3234",
    )
    OWN_PERSON = (
        "own_person",
        _("This is your own"),
        _("You, or another username of yours, are the one concerned."),
        _("Ask a colleague: nobody decides about himself."),
    )
