"""The queue as Django's own admin lists it: the same columns over the same rows, beside the product's pages."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import include, path

from compliance.models import PendingShare
from compliance.queue.rules import PAGE, due_on
from portal.admin import ReadOnly
from portal.admin_site import PortalAdminSite
from sls.models import ShareState
from sls.review import ReviewReason

SEE = "compliance.view_reviewcase"


class PlainList(ReadOnly):
    list_display = (
        *("requester", "requester_entity", "owner", "owner_entity", "kind", "serial"),
        *("why", "submitted_at", "due", "reviewers", "stage", "claimed_by"),
    )
    list_select_related = (
        *("requester__entity", "owner__entity", "device"),
        "review__claimed_by",
    )
    list_per_page = PAGE
    ordering = ("submitted_at", "pk")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(SEE)  # type: ignore[union-attr]

    def get_queryset(self, request: HttpRequest) -> QuerySet[PendingShare]:
        return super().get_queryset(request).filter(state=ShareState.PENDING)

    def requester_entity(self, share: PendingShare) -> str:
        return share.requester.entity.name

    def owner_entity(self, share: PendingShare) -> str:
        return share.owner.entity.name

    def kind(self, share: PendingShare) -> str:
        return share.device.get_kind_display()

    def serial(self, share: PendingShare) -> str:
        return share.device.serial_masked

    def why(self, share: PendingShare) -> str:
        words = dict(ReviewReason.choices)
        return "; ".join(str(words.get(code, code)) for code in share.reasons)

    def due(self, share: PendingShare) -> Any:
        return due_on(share.submitted_at.date(), 2, frozenset())

    def stage(self, share: PendingShare) -> str:
        case = getattr(share, "review", None)
        if case is None or case.claimed_by_id is None:
            return "Unclaimed"
        return "Awaiting the checker" if case.recommended_at else "Claimed"

    def claimed_by(self, share: PendingShare) -> str:
        case = getattr(share, "review", None)
        return case.claimed_by.username if case and case.claimed_by else "-"


site = PortalAdminSite(name="plain")
for model, registered in admin.site._registry.items():
    site.register(model, PlainList if model is PendingShare else type(registered))
urlpatterns = [path("plain/", site.urls), path("", include("portal.urls"))]
