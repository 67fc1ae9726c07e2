"""Refusals of a caller check, and which devices answer one. Pure."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from portal.errors import Reason
from sls.catalog import Element, traits


class CallerRefusal(Reason):
    OWN_PERSON = (
        "own_person",
        _("The caller would be yourself"),
        _("You, or another username of yours, stand behind this username."),
        _("Ask a colleague: nobody checks himself."),
    )
    NOT_A_CLIENT = (
        "not_a_client",
        _("This username is not checked by telephone"),
        _("It belongs to staff, or it is deactivated."),
        _("Ask an administrator."),
    )
    NO_DEVICE = (
        "no_device_to_ask",
        _("No device can be asked"),
        _("The username has no device at present that answers a challenge."),
        _("Identify the caller in another way; the result here is: none."),
    )
    CHECK_RUNNING = (
        "check_running",
        _("A check of this caller is running"),
        _("Somebody has asked this client's device already, and the time to answer is not over."),
        _("Finish that check, or wait until it has ended."),
    )
    CHECK_OVER = (
        "check_over",
        pgettext_lazy("of a caller", "This check is over"),
        _("It was answered or ended, or its time is over. A response is judged once."),
        _("Start a new one if there is a reason to."),
    )
    NOT_THE_MAKER = (
        "not_the_maker",
        _("This is a colleague's check"),
        _("Only who talks to the caller types the response, and in the browser that asked."),
        _("Ask the colleague who started it."),
    )
    TOO_MANY_CHECKS = (
        "too_many_checks",
        _("Too many caller checks"),
        _("As many checks as one day allows were made by you, or of this client."),
        _("Identify the caller in another way, or try again tomorrow."),
    )


def answers_a_caller(kind: str) -> bool:
    """
    Only what is asked anew each time: a code that the client has already must never be said aloud, and an
    SMS to him costs him nothing to read out to a stranger.
    """
    return traits(kind).element is not Element.CODE
