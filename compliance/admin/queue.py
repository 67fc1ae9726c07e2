"""The queue of pending shares, and taking one out of it."""

import uuid
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as say

from compliance.models import PendingShare
from compliance.queue import pages, queries
from compliance.queue.rules import Asked, Order, Stage
from compliance.review import operations, persons
from portal.admin_site import asks_or_does, demand
from portal.caller import caller
from portal.errors import Refused
from sls.access import freshly_proven

from .cases import CasePages

ORDER = "queue_order"  # in the session: the order the officer chose last


@admin.register(PendingShare)
class PendingShareAdmin(CasePages):
    """The queue in the place of Django's list. There is no action for several requests at once."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(persons.SEE)  # type: ignore[union-attr]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.queue_page)
        return [path("", view, name="compliance_pendingshare_changelist"), *self.case_urls()]

    @asks_or_does
    def queue_page(self, request: HttpRequest) -> HttpResponse:
        """GET shows a page of the queue; POST claims the request named by its button."""
        self.demand_view(request)
        if request.method == "POST":
            return freshly_proven(self._claim)(request)
        user: Any = request.user
        now = timezone.now()
        usual = request.session.get(ORDER, "")
        asked = Asked.read(request.GET.dict(), usual=usual)
        if "order" in request.GET and asked.order != (usual or Order.OLDEST):
            request.session[ORDER] = asked.order.value
        page = queries.page(asked, me=user, now=now)
        context = {
            "asked": asked,
            "is_history": asked.stage == Stage.DECIDED,
            "tabs": pages.tabs(asked, queries.counts(me=user, now=now)),
            "lines": pages.lines(page.rows, me=user, now=now),
            "newer": asked.query(before=page.before) if page.before else "",
            "older": asked.query(after=page.after) if page.after else "",
            "start": asked.query(),
            "everything": asked.query(reason="", kind="", name="", day=None),
            **pages.choices(),
        }
        return self.own_page(request, "queue", say("Requests that wait for Compliance"), context)

    def _claim(self, request: HttpRequest) -> HttpResponse:
        demand(request, [persons.WORK])
        here = reverse("admin:compliance_pendingshare_changelist")
        try:
            share_id = uuid.UUID(request.POST.get("claim", ""))
        except ValueError:
            return redirect(here)
        try:
            operations.claim(share_id, by=caller(request), now=timezone.now())
        except Refused as refused:
            messages.error(request, f"{refused.reason.title}. {refused.reason.sentence}")
            return redirect(f"{here}?{request.GET.urlencode()}")
        messages.success(request, say("The request is yours."))
        return redirect(f"{here}{share_id}/")
