"""The auditors' pages in the admin: the list with its filters, one row, and the export. They only read."""

from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    QueryDict,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as say
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from portal.admin_site import asks_or_does, demand, freshly_proven
from portal.caller import caller
from portal.models import AuditEvent
from portal.read_only import ReadOnly

from . import operations, queries
from .export import Form
from .vocabulary import event_names

EXPORT = ["portal.view_auditevent", "portal.export_auditevent"]
MINUTE = "%Y-%m-%dT%H:%M"


def _events() -> list[tuple[str, Any]]:
    return [("", _("All")), *((name, name) for name in event_names())]


class Moment(forms.DateTimeField):
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=MINUTE)


class FilterForm(forms.Form):
    since = Moment(label=_("From"), required=False)
    until = Moment(label=_("Until"), required=False)
    event = forms.ChoiceField(label=_("Event"), required=False, choices=_events)
    actor = forms.CharField(label=_("Actor"), required=False, max_length=40)
    subject = forms.CharField(label=_("Subject"), required=False, max_length=40)
    request_id = forms.CharField(label=_("Request id"), required=False, max_length=36)

    def wanted(self) -> queries.Filters:
        return queries.Filters(**{name: self.cleaned_data[name] for name in FilterForm.base_fields})


class ExportForm(FilterForm):
    form = forms.ChoiceField(label=_("Form"), choices=Form.choices)
    reason = forms.CharField(label=_("Reason"), max_length=500, widget=forms.Textarea({"rows": 3}))


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnly):
    rights: ClassVar = {"may_export": EXPORT}

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(freshly_proven(self.export_page))
        return [path("export/", page, name="portal_auditevent_export"), *super().get_urls()]

    @method_decorator(require_safe)
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self.demand_view(request)
        form = FilterForm(request.GET)
        page = None
        if form.is_valid():
            numbers = {name: _number(request.GET.get(name)) for name in ("before", "after")}
            page = queries.page(form.wanted(), **numbers)
        asked = QueryDict(mutable=True)
        asked.update({n: str(value) for n, value in request.GET.items() if n in form.fields})
        context = {
            "form": form,
            "page": page,
            "is_list": True,
            "state": queries.state(),
            "asked": asked,
        }
        return self.own_page(request, "list", say("Audit events"), context)

    @method_decorator(require_safe)
    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        self.demand_view(request)
        row = get_object_or_404(AuditEvent, pk=_number(object_id))
        context = {
            "standing": queries.standing(row),
            "row": row,
            "facts": sorted(row.facts.items()),
        }
        title = say("Audit event %(number)d") % {"number": row.number}
        return self.own_page(request, "row", title, context)

    @asks_or_does
    def export_page(self, request: HttpRequest) -> HttpResponseBase:
        demand(request, EXPORT)
        if request.method == "POST":
            form = ExportForm(request.POST)
            if form.is_valid():
                return _file(request, form)
        else:
            form = ExportForm(initial={n: request.GET.get(n, "") for n in FilterForm.base_fields})
        return self.own_page(request, "export", say("Export audit events"), {"form": form})


def _file(request: HttpRequest, form: ExportForm) -> StreamingHttpResponse:
    as_form, now = Form(form.cleaned_data["form"]), timezone.now()
    lines = operations.take_out(
        wanted=form.wanted(),
        form=as_form,
        reason=form.cleaned_data["reason"],
        by=caller(request),
        now=now,
    )
    response = StreamingHttpResponse(lines, content_type=as_form.content_type)
    response["Content-Disposition"] = f'attachment; filename="{_name(now)}.{as_form.value}"'
    return response


def _name(now: datetime) -> str:
    return f"audit-{now:%Y%m%dT%H%M%SZ}"


def _number(text: str | None) -> int | None:
    """The number in an address; None for what no row can have."""
    if not text or not text.isascii() or not text.isdigit() or len(text) > 18:
        return None
    return int(text)
