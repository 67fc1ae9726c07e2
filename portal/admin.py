"""
What staff see of the portal's own rows, and how they lock and unlock a username. The auditors' pages are in
`portal.audit.admin`; importing it registers them.
"""

from typing import ClassVar

import django.contrib.auth.admin  # noqa: F401  # registers groups, which have a page of ours below
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as say
from django.utils.translation import gettext_lazy as _

import portal.audit.admin  # noqa: F401
from portal import accounts, heartbeats
from portal.admin_site import asks_or_does, demand, freshly_proven
from portal.caller import caller
from portal.errors import Reason, Refused
from portal.models import Entity, Heartbeat, User
from portal.read_only import PersonalData, ReadOnly

__all__ = ["ReadOnly"]
LOCK = ["portal.lock_user"]


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnly):
    """Which workers and beat were seen lately."""

    list_display = ("kind", "name", "seen_at", "is_at_work")
    ordering = ("kind", "name")

    @admin.display(description=_("at work"), boolean=True)
    def is_at_work(self, beat: Heartbeat) -> bool:
        return timezone.now() - beat.seen_at <= heartbeats.STALE


@admin.register(Entity)
class EntityAdmin(PersonalData):
    list_display = ("name", "kind", "citizenship", "country_of_residence")
    list_per_page = 50
    ordering = ("name", "pk")
    search_fields = ("name",)
    # The whole date of birth takes the right to unmask evidence, and leaves its own record.
    exclude = (
        *("document_number_sealed", "document_number_index", "ssn_sealed", "ssn_index"),
        "date_of_birth",
    )


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(ReadOnly):
    """
    What each role may do. Roles come with `migrate` and are changed on the command line, by who has the machine
    anyway: a page for it would let one administrator undo the four eyes of all.
    """

    list_display = ("name",)
    ordering = ("name",)
    search_fields = ("name",)
    fields = ("name", "rights_in_lines")

    @admin.display(description=_("rights"))
    def rights_in_lines(self, group: Group) -> str:
        rights = group.permissions.select_related("content_type").order_by(
            "content_type", "codename"
        )
        return format_html_join(mark_safe("<br>"), "{}", ((str(right),) for right in rights))


class ReasonForm(forms.Form):
    reason = forms.CharField(label=_("Reason"), max_length=500, widget=forms.Textarea({"rows": 3}))


@admin.register(User)
class UserAdmin(PersonalData):
    """The list; and a page to lock and one to unlock a username."""

    list_display = ("username", "entity", "is_active", "is_staff", "locked_at")
    list_per_page = 50
    ordering = ("username",)
    list_filter = ("is_active", "is_staff")
    linked_by = ("locked_at",)
    list_select_related = ("entity",)
    search_fields = ("username",)
    readonly_fields = ("locked_at",)
    exclude = ("password",)
    rights: ClassVar = {"may_lock": LOCK}

    def subject_of(self, row: User) -> User:
        return row

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(freshly_proven(self.lock_page))
        return [
            path("<int:user_id>/lock/", view, {"locks": True}, name="portal_user_lock"),
            path("<int:user_id>/unlock/", view, {"locks": False}, name="portal_user_unlock"),
            *super().get_urls(),
        ]

    @asks_or_does
    def lock_page(self, request: HttpRequest, user_id: int, locks: bool) -> HttpResponse:
        demand(request, LOCK)
        user = get_object_or_404(User.objects.select_related("entity"), pk=user_id)
        form = ReasonForm(request.POST if request.method == "POST" else None)
        refusal: Reason | None = None
        if form.is_valid():
            change = accounts.lock if locks else accounts.unlock
            reason, now = form.cleaned_data["reason"], timezone.now()
            try:
                change(user, reason=reason, by=caller(request), now=now)
                words = (
                    say("The username is locked.") if locks else say("The username is unlocked.")
                )
                messages.success(request, words)
                return redirect("admin:portal_user_change", user.pk)
            except Refused as refused:
                refusal = refused.reason
        title = say("Lock a username") if locks else say("Unlock a username")
        context = {"form": form, "account": user, "locks": locks, "refusal": refusal}
        return self.own_page(request, "lock", title, context)
