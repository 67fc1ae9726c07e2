"""Which page of the wizard a share request is on; Back, refresh and a second tab are then harmless."""

import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from sls.models import ShareRequest, ShareState
from sls.models.share import OPEN

from . import queries

View = Callable[..., HttpResponse]
PAGES = {ShareState.DRAFT: "sharing:respond", ShareState.PROVEN: "sharing:review"}


def page_of(share: ShareRequest) -> HttpResponse:
    """To the page where the request stands now."""
    return redirect(PAGES.get(ShareState(share.state), "sharing:status"), share.pk)


def is_over(share: ShareRequest) -> bool:
    return share.state in OPEN and share.expires_at <= timezone.now()


def step(state: ShareState) -> Callable[[View], View]:
    """
    Load the requester's own share and let the view see it while it is in `state`; otherwise to the page
    where it is. Anybody else's share does not exist.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, share_id: uuid.UUID, **kwargs: Any) -> HttpResponse:
            share = queries.shares().filter(pk=share_id, requester=request.user.pk).first()
            if share is None:
                raise Http404
            if share.state != state:
                return page_of(share)
            if is_over(share):
                return redirect("sharing:status", share.pk)
            return view(request, share, **kwargs)

        return guarded

    return decorate
