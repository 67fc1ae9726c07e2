"""The card of an address, if it is the visitor's, and the page on which it waits for him."""

import uuid
from collections.abc import Callable
from functools import wraps

from django.http import Http404, HttpResponse

from portal.caller import SignedInRequest
from sls.models import OnlineCardRequest

from . import queries

Step = Callable[[SignedInRequest, OnlineCardRequest], HttpResponse]


def mine(view: Step) -> Callable[[SignedInRequest, uuid.UUID], HttpResponse]:
    @wraps(view)
    def step(request: SignedInRequest, card_id: uuid.UUID) -> HttpResponse:
        card = queries.owned(card_id, request.user)
        if card is None:
            raise Http404
        return view(request, card)

    return step
