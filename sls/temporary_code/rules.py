"""Refusals of staff's work on Temporary Codes. Pure."""

from django.utils.translation import gettext_lazy as _

from portal.errors import Reason


class CodeRefusal(Reason):
    CLIENT_UNKNOWN = (
        "client_unknown",
        _("The username is unknown or deactivated"),
        _("A Temporary Code is given to an active username only."),
        _("Check the spelling with the client."),
    )
    OWN_PERSON = (
        "own_person",
        _("The client is yourself"),
        _("You, or another username of yours, would get this code."),
        _("Ask a colleague: nobody decides about his own devices."),
    )
    SAME_STAFF = (
        "same_staff",
        _("A second person is needed"),
        _("Whoever asked for the code, or another username of his, cannot confirm it."),
        _("Ask a colleague to decide."),
    )
    TWICE_IN_A_ROW = (
        "temporary_code_twice",
        _("No second Temporary Code in a row"),
        _("Since the last one the client has not logged in with another device."),
        _("Offer an Online Security Code Card, or a permanent device."),
        "kb69",
    )
    ALREADY_ASKED = (
        "code_already_asked",
        _("A request for this client is open"),
        _("Somebody has asked for a Temporary Code for this client already."),
        _("Finish that request, or wait until it expires."),
    )
    REQUEST_OVER = (
        "code_request_over",
        _("This request is over"),
        _("It was decided, read out or expired meanwhile. A code is shown only once."),
        _("Look at its state in the list."),
    )
    NOT_THE_MAKER = (
        "not_the_maker",
        _("This is a colleague's request"),
        _("Only who has identified the client reads the code out."),
        _("Ask the colleague who made the request."),
    )
    TOO_MANY_REQUESTS = (
        "too_many_code_requests",
        _("Too many requests"),
        _("You have asked for as many Temporary Codes as one day allows."),
        _("Ask a colleague, or try again tomorrow."),
    )
