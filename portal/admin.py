"""What staff see of the portal's own rows, and how they lock and unlock a username."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as say
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from portal import accounts
from portal.caller import caller
from portal.errors import Reason, Refused
from portal.models import AuditEvent, Entity, OutboxMessage, User

LOCK = "portal.lock_user"


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows that only the domain writes."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnly):
    list_display = ("number", "at", "event", "actor", "subject", "address")
    list_filter = ("event",)
    search_fields = ("actor", "subject")
    show_full_result_count = False


@admin.register(OutboxMessage)
class OutboxMessageAdmin(ReadOnly):
    list_display = (
        *("created_at", "event", "user", "channel", "target"),
        *("state", "attempts", "sent_at"),
    )
    list_filter = ("state", "channel", "event")
    list_select_related = ("user",)
    exclude = ("context", "recipient")
    show_full_result_count = False


@admin.register(Entity)
class EntityAdmin(ReadOnly):
    list_display = ("name", "kind", "citizenship", "country_of_residence")
    search_fields = ("name",)
    exclude = ("document_number_sealed", "document_number_index", "ssn_sealed", "ssn_index")


class WhyForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"), max_length=500, widget=forms.Textarea(attrs={"rows": 4})
    )


@admin.register(User)
class UserAdmin(ReadOnly):
    """The list; and a page to lock and one to unlock a username."""

    list_display = ("username", "entity", "is_active", "is_staff", "locked_at")
    list_filter = ("is_active", "is_staff")
    list_select_related = ("entity",)
    search_fields = ("username",)
    readonly_fields = ("locked_at",)
    exclude = ("password",)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.lock_page)
        return [
            path("<int:user_id>/lock/", view, {"locks": True}, name="portal_user_lock"),
            path("<int:user_id>/unlock/", view, {"locks": False}, name="portal_user_unlock"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        may_lock = request.user.has_perm(LOCK)  # type: ignore[union-attr]
        context = {**(extra_context or {}), "may_lock": may_lock}
        return super().change_view(request, object_id, form_url, context)

    @method_decorator(require_http_methods(["GET", "POST"]))
    def lock_page(self, request: HttpRequest, user_id: int, locks: bool) -> HttpResponse:
        if not request.user.has_perm(LOCK):  # type: ignore[union-attr]
            raise PermissionDenied
        user = get_object_or_404(User.objects.select_related("entity"), pk=user_id)
        form = WhyForm(request.POST if request.method == "POST" else None)
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
        shell = {**self.admin_site.each_context(request), "opts": self.opts, "title": title}
        context = {**shell, "form": form, "account": user, "locks": locks, "refusal": refusal}
        status = 409 if refusal else 200
        return TemplateResponse(request, "admin/portal/user/lock.html", context, status=status)
