"""What pages of one feature show of another, without importing it."""

from datetime import date, datetime
from typing import Any

from django import template
from django.db.models import BigIntegerField, QuerySet
from django.template.context import Context

from portal.compiled import compiled
from sls import browsers
from sls.access import has_active_device
from sls.catalog import DeviceKind
from sls.enrolment.forms import EnrolmentForm
from sls.models import DeviceGrant, GrantState
from sls.sharing import queries
from sls.sharing.queries import Candidate
from sls.sharing.rules import RejectionReason

register = template.Library()


@register.simple_tag
def enrolment_form() -> EnrolmentForm:
    return EnrolmentForm()


@register.simple_tag(takes_context=True)
def share_candidate(context: Context, own_level: int) -> Candidate | None:
    """ "Can I share?": the device that would be the one, among the same person's usernames."""
    user = context["request"].user
    return queries.candidate(user, own_level) if user.is_verified() else None


@register.simple_tag(takes_context=True)
def has_device(context: Context) -> bool:
    return has_active_device(context["request"].user)


@register.simple_tag(takes_context=True)
def pending_shares(context: Context) -> list[DeviceGrant]:
    """The user's grants that wait for approval."""
    return _waiting(user=context["request"].user.pk)


@compiled(user=BigIntegerField())
def _waiting(user: Any) -> QuerySet[DeviceGrant]:
    waiting = DeviceGrant.objects.filter(user=user, state=GrantState.PENDING)
    return waiting.select_related("device").defer("device__secret")


@register.filter
def expected_by(submitted_at: datetime) -> date:
    """The day by which a request submitted then is to be decided."""
    return queries.due_on(submitted_at)


@register.simple_tag
def rejection(code: str) -> RejectionReason:
    return RejectionReason(code)  # type: ignore[call-arg]


@register.filter
def kind_label(kind: str) -> str:
    return str(DeviceKind(kind).label)


@register.filter
def moment(text: str) -> datetime:
    """The time that a message's context carries as text."""
    return datetime.fromisoformat(text)


@register.filter
def browser_in_words(user_agent: str) -> str:
    return browsers.browser_in_words(user_agent)
