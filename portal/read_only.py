"""Admin pages that change nothing; those with personal data put each look at them on record."""

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import PAGE_VAR, SEARCH_VAR
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone

from portal import audit
from portal.caller import caller
from portal.models import User

# What a list filter, or a link of ours to a list, may append to its column.
ENDINGS = ("", "__exact", "__isnull", "__isempty", "__gte", "__lt")
ALL_BUT_THREE = re.compile(r"\d(?=(?:\D*\d){3})")
LONGEST_SEARCH = 80


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    """
    Rows that only the domain writes. `rights` are the words by which templates ask what the viewer may do,
    and the permissions that each takes; `linked_by` the columns that links of ours narrow the list by.
    """

    rights: ClassVar[dict[str, list[str]]] = {}
    linked_by: ClassVar[Sequence[str]] = ()

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """
        Only what the list offers. Django lets everybody who sees a list filter it by any column of the row, and
        so guess a password's hash, or a sealed value, letter by letter.
        """
        offered = [one[0] if isinstance(one, tuple) else str(one) for one in self.list_filter]
        return lookup in {f"{name}{end}" for name in (*offered, *self.linked_by) for end in ENDINGS}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if any("\0" in value for value in request.GET.values()):
            raise BadRequest("PostgreSQL takes no NUL")
        return super().changelist_view(request, self._granted(request) | (extra_context or {}))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context = self._granted(request) | (extra_context or {})
        return super().change_view(request, object_id, form_url, context)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Django's own record is empty here: the audit trail tells what happened."""
        self.demand_view(request)
        return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")

    def _granted(self, request: HttpRequest) -> dict[str, Any]:
        return {word: request.user.has_perms(taken) for word, taken in self.rights.items()}  # type: ignore[union-attr]

    def demand_view(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def own_page(
        self, request: HttpRequest, name: str, title: str, context: dict[str, Any]
    ) -> HttpResponse:
        """A page beside the list, with the admin's frame; 409 with the `refusal` of what was asked for."""
        template = f"admin/{self.opts.app_label}/{self.opts.model_name}/{name}.html"
        return self.framed(request, template, title, context)

    def framed(
        self, request: HttpRequest, template: str, title: str, context: dict[str, Any]
    ) -> HttpResponse:
        shell = {
            **self.admin_site.each_context(request),
            **self._granted(request),
            "opts": self.opts,
            "title": title,
        }
        status = 409 if context.get("refusal") else 200
        return TemplateResponse(request, template, {**shell, **context}, status=status)


class PersonalData(ReadOnly):
    """
    Rows that tell of a person. Each look at one, and each list of them, is recorded before it is shown: who
    looked, at which page, and the keys of the rows on it.
    """

    records_lists = True

    def subject_of(self, row: Any) -> User | None:
        """The username a row belongs to; None when it may belong to several, or to none."""
        return None

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        response = super().change_view(request, object_id, form_url, extra_context)
        if row := _context_of(response).get("original"):
            what = f"{self.opts.model_name} page"
            self._record(request, self.subject_of(row), what=what, key=str(row.pk))
        return response

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        found = _context_of(response).get("cl")
        if found and self.records_lists:
            keys = [str(row.pk) for row in found.result_list]
            filters = {
                name: without_numbers(str(value))
                for name, value in request.GET.items()
                if name not in (SEARCH_VAR, PAGE_VAR)
            }
            facts = {"keys": keys, "page": found.page_num, "search": without_numbers(found.query)}
            facts |= {"filters": filters} if filters else {}
            self._record(request, None, what=f"{self.opts.model_name} list", **facts)
        return response

    def _record(self, request: HttpRequest, subject: User | None, **facts: Any) -> None:
        audit.viewed(subject=subject, by=caller(request), at=timezone.now(), **facts)


def without_numbers(typed: str) -> str:
    """What was searched for, without all but the last three digits: it may be somebody's number."""
    return ALL_BUT_THREE.sub("•", typed[:LONGEST_SEARCH])


def _context_of(response: HttpResponse) -> dict[str, Any]:
    """What a page is about to show, nothing when it is a redirect."""
    if not isinstance(response, TemplateResponse):
        return {}
    return response.context_data or {}
