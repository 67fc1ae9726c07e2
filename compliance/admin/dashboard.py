"""The desk in numbers; each leads to the list behind it."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.formats import number_format
from django.utils.translation import gettext as say
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from compliance.dashboard import queries, rules
from compliance.models import Dashboard
from compliance.queue import pages
from compliance.review import persons
from portal.admin import ReadOnly

reads = method_decorator(require_safe)


class Figure(NamedTuple):
    """A number, what it counts, and where its list is (empty for whom that list does not open)."""

    number: str
    label: str
    link: str


@admin.register(Dashboard)
class DashboardAdmin(ReadOnly):
    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(persons.SEE)  # type: ignore[union-attr]

    def get_urls(self) -> list[URLPattern]:
        def page(route: str, view: Any, name: str) -> URLPattern:
            return path(route, self.admin_site.admin_view(view), name=name)

        return [
            page("", self.numbers_page, "compliance_dashboard_changelist"),
            page("locks/", self.locks_page, "compliance_dashboard_locks"),
        ]

    @reads
    def numbers_page(self, request: HttpRequest) -> HttpResponse:
        now = timezone.now()
        self.demand_view(request)
        numbers = queries.numbers(now=now)
        days = rules.days(numbers.by_day, timezone.localdate(now))
        context = {
            "figures": _figures(request, numbers, now),
            "days": days,
            "chart": rules.chart(days),
            "width": rules.WIDTH,
            "height": rules.HEIGHT,
            "left": rules.LEFT,
        }
        return self.own_page(request, "dashboard", say("Dashboard of the compliance desk"), context)

    @reads
    def locks_page(self, request: HttpRequest) -> HttpResponse:
        self.demand_view(request)
        context = {"locks": queries.locks(now=timezone.now())}
        return self.own_page(request, "locks", say("Locked second factors"), context)


def _figures(request: HttpRequest, numbers: queries.Numbers, now: datetime) -> list[Figure]:
    queue = reverse("admin:compliance_pendingshare_changelist")
    decided = f"{queue}?stage=decided"

    def other(name: str, permission: str, **query: object) -> str:
        opens = request.user.has_perm(permission)  # type: ignore[union-attr]
        return f"{reverse(name)}?{urlencode(query)}" if opens else ""

    shares = other(
        "admin:sls_sharerequest_changelist",
        "sls.view_sharerequest",
        submitted_at__gte=queries.first_moment(now).isoformat(),
        reviewers__exact=0,
    )
    failures = other(
        "admin:portal_outboxmessage_changelist",
        "portal.view_outboxmessage",
        state__exact="failed",
        created_at__gte=(now - queries.FAILURES_REACH).isoformat(),
    )
    locked = other("admin:portal_user_changelist", "portal.view_user", locked_at__isnull="False")
    locks = reverse("admin:compliance_dashboard_locks")
    percent = rules.percent(numbers.automatic, numbers.submitted)
    return [
        Figure(_capped(numbers.waiting), say("waiting"), queue),
        Figure(_capped(numbers.overdue), say("overdue"), f"{queue}?stage=overdue"),
        Figure(_plain(numbers.decided), say("decided in the last 30 days"), decided),
        Figure(_time(numbers.median), say("to decide, half of them"), decided),
        Figure(_time(numbers.nine_of_ten), say("to decide, nine of ten"), decided),
        Figure(
            "–" if percent is None else f"{percent} %",
            say("of the shares approved without a review, in the last 30 days"),
            shares,
        ),
        Figure(
            _capped(numbers.failures), say("messages not delivered in the last 7 days"), failures
        ),
        Figure(_capped(numbers.locked_users), say("usernames locked by staff"), locked),
        Figure(_capped(numbers.locked_factors), say("second factors locked by failures"), locks),
    ]


def _capped(count: int) -> str:
    return pages.in_words(min(count, queries.MOST), count > queries.MOST)


def _plain(count: int) -> str:
    return number_format(count, force_grouping=True)


def _time(taken: timedelta | None) -> str:
    """In days from two days on, in hours below; the clock's, not business hours."""
    if taken is None:
        return "–"
    hours = max(0, round(taken / timedelta(hours=1)))
    if hours < 48:
        return ngettext("%d hour", "%d hours", hours) % hours
    days = round(hours / 24)
    return ngettext("%d day", "%d days", days) % days
