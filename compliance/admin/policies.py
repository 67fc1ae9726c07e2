"""The dated review rules: what held when, new ones with their rehearsal, and taking them back."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as say
from django.utils.translation import gettext_lazy as _

from compliance.policy import operations, queries
from compliance.policy.forms import PolicyForm, WithdrawForm
from compliance.policy.operations import SET_RULES
from compliance.policy.rules import rule_rows
from portal.admin import ReadOnly
from portal.admin_site import asks_or_does, demand
from portal.caller import caller
from portal.errors import Reason, Refused
from sls.access import freshly_proven
from sls.models import ReviewPolicy
from sls.review import Policy
from sls.sharing.queries import policy_of

LIST = "admin:sls_reviewpolicy_changelist"
STATES = {"scheduled": _("Scheduled"), "in_force": _("In force"), "over": _("Over")}


@admin.register(ReviewPolicy)
class ReviewPolicyAdmin(ReadOnly):
    """The list; a page for new rules, which rehearses them first; and one to withdraw them."""

    list_display = ("version", "state", "starts_at", "ends_at", "made_by", "made_at", "note")
    list_select_related = ("made_by",)
    fields = (
        *("version", "state", "starts_at", "ends_at"),
        *("made_by", "made_at", "note", "what_counts"),
    )
    rights: ClassVar = {"may_set": [SET_RULES]}
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[ReviewPolicy]:
        return queries.policies()

    @admin.display(description=_("version"))
    def version(self, policy: ReviewPolicy) -> int:
        return policy.pk

    @admin.display(description=_("status"))
    def state(self, policy: ReviewPolicy) -> str:
        return str(STATES[queries.state_of(policy, now=timezone.now())])

    @admin.display(description=_("rules"))
    def what_counts(self, policy: ReviewPolicy) -> str:
        return render_to_string(
            "admin/sls/reviewpolicy/_rules.html", {"rows": rule_rows(policy_of(policy))}
        )

    def get_urls(self) -> list[URLPattern]:
        def page(route: str, view: Any, name: str) -> URLPattern:
            guarded = self.admin_site.admin_view(freshly_proven(view))
            return path(route, guarded, name=f"sls_reviewpolicy_{name}")

        return [
            page("new/", self.new_page, "new"),
            page("<int:version>/withdraw/", self.withdraw_page, "withdraw"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"as_shipped": rule_rows(policy_of(None))}
        return super().changelist_view(request, {**(extra_context or {}), **context})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context = {**(extra_context or {}), "now": timezone.now()}
        return super().change_view(request, object_id, form_url, context)

    @asks_or_does
    def new_page(self, request: HttpRequest) -> HttpResponse:
        """The form; POST `rehearse` shows what would flip, POST `confirm` schedules."""
        demand(request, [SET_RULES])
        last = queries.last_policy()
        before = policy_of(last)
        sent = request.POST if request.method == "POST" else None
        form = PolicyForm(sent, initial_rules=before.rules, follows=before.version)
        context: dict[str, Any] = {"form": form, "last": last}
        if not form.is_valid() or "change" in request.POST:
            return self.own_page(request, "new", say("New review rules"), context)
        if "confirm" in request.POST:
            what = form.cleaned_data
            try:
                policy = operations.schedule(
                    rules=form.rules,
                    starts_at=what["starts_at"],
                    note=what["note"],
                    follows=what["follows"],
                    by=caller(request),
                    now=timezone.now(),
                )
            except Refused as refused:
                context |= {"refusal": refused.reason}
                return self.own_page(request, "new", say("New review rules"), context)
            words = say("Version %(version)s is scheduled.") % {"version": policy.pk}
            messages.success(request, words)
            return redirect(LIST)
        wanted = Policy(0, form.rules)
        context |= {
            "rehearsal": queries.rehearse(wanted, follows=before),
            "rows": rule_rows(wanted, before),
        }
        return self.own_page(request, "rehearsal", say("What the new rules would change"), context)

    @asks_or_does
    def withdraw_page(self, request: HttpRequest, version: int) -> HttpResponse:
        demand(request, [SET_RULES])
        policy = queries.policies().filter(pk=version).first()
        if policy is None:
            raise Http404
        form = WithdrawForm(request.POST if request.method == "POST" else None)
        refusal: Reason | None = None
        if form.is_valid():
            try:
                note, now = form.cleaned_data["note"], timezone.now()
                operations.withdraw(version, note=note, by=caller(request), now=now)
                messages.success(request, say("The rules are withdrawn."))
                return redirect(LIST)
            except Refused as refused:
                refusal = refused.reason
        context = {
            "form": form,
            "policy": policy,
            "refusal": refusal,
            "rows": rule_rows(policy_of(policy)),
        }
        return self.own_page(request, "withdraw", say("Withdraw scheduled rules"), context)
