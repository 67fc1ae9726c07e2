"""The page of one case: the evidence, what is to be done, and every act of an officer."""

import uuid
from collections.abc import Callable
from functools import partial, wraps
from typing import Any, ClassVar

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as say
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from compliance.models import Verdict
from compliance.review import operations, pages, persons, queries
from compliance.review.evidence import FIELD_LABELS, Evidence
from compliance.review.forms import HandOverForm, VerdictForm
from compliance.review.queries import Case
from compliance.review.rules import LONGEST_NOTE, CaseRefusal, reason_in_words
from portal import audit
from portal.admin import ReadOnly
from portal.admin_site import demand
from portal.caller import caller
from portal.errors import Refused
from sls.access import freshly_proven

PAGE = "admin:compliance_pendingshare_change"
DRAFTED = ("verdict", "reason", "note")
JUDGING = {"recommend", "decide"}


def page_of(share_id: uuid.UUID) -> str:
    return reverse(PAGE, args=[share_id])


class CasePages(ReadOnly):
    """The pages below the queue. Every act is a POST of its own behind a freshly proven device."""

    rights: ClassVar = {"may_work": [persons.WORK]}

    def case_urls(self) -> list[URLPattern]:
        def act(route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
            fresh = _keeping_draft(freshly_proven(view, back_to=page_of))
            guarded = self.admin_site.admin_view(require_POST(fresh))
            return path(f"<uuid:share_id>/{route}/", guarded, name=_named(name))

        def read(route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
            return path(route, self.admin_site.admin_view(require_safe(view)), name=_named(name))

        return [
            read("<uuid:share_id>/", self.case_page, "change"),
            read("<uuid:share_id>/seen/<int:key>/", self.seen_page, "seen"),
            act("claim", self.claim, "claim"),
            act("release", self.release, "release"),
            act("hand-over", self.hand_over, "hand_over"),
            act("recommend", self.recommend, "recommend"),
            act("decide", self.decide, "decide"),
            act("unmask", self.unmask, "unmask"),
        ]

    # Reading

    def case_page(self, request: HttpRequest, share_id: uuid.UUID) -> HttpResponse:
        demand(request, [persons.SEE])
        try:
            case = _looked_at(request, share_id, what="review case")
        except Refused as refused:
            return self._conflict(request, share_id, refused)
        draft = request.session.pop(_draft_of(share_id), {})
        if draft and JUDGING & pages.to_do(case, request.user).acts:  # type: ignore[arg-type]
            messages.info(request, say("What you had filled in is still here."))
        return self._case(
            request, case, form=VerdictForm(initial=draft | {"seen": case.evidence.digest})
        )

    def seen_page(self, request: HttpRequest, share_id: uuid.UUID, key: int) -> HttpResponse:
        """The evidence as it was when somebody recommended or decided."""
        demand(request, [persons.SEE])
        try:
            case = _looked_at(request, share_id, what="evidence as seen", key=str(key))
        except Refused as refused:
            return self._conflict(request, share_id, refused)
        seen = next((row for row in case.seen if row.pk == key), None)
        if seen is None:
            raise Http404
        context = {"case": case, "seen": seen, "evidence": Evidence.read(seen.data)}
        return self.own_page(request, "seen", say("Evidence as it was seen"), context)

    def _case(self, request: HttpRequest, case: Case, *, form: VerdictForm) -> HttpResponse:
        user: Any = request.user
        review, todo = case.review, pages.to_do(case, user)
        context = {
            "case": case,
            "evidence": case.evidence,
            "todo": todo,
            "can_unmask": todo.stage == "mine" and user.has_perm(persons.UNMASK),
            "history": pages.history(case.share, now=timezone.now()),
            "form": form,
            "hand_over_form": HandOverForm(),
            "recommended_for": reason_in_words(review.recommendation_reason) if review else "",
            "decided_for": reason_in_words(review.decision_reason) if review else "",
        }
        return self.own_page(request, "case", _title(case), context)

    # Acts

    def claim(self, request: HttpRequest, share_id: uuid.UUID) -> HttpResponse:
        demand(request, [persons.WORK])
        return self._do(request, share_id, operations.claim, say("The request is yours."))

    def release(self, request: HttpRequest, share_id: uuid.UUID) -> HttpResponse:
        demand(request, [persons.WORK])
        words = say("The request is back in the queue.")
        return self._do(request, share_id, operations.release, words)

    def hand_over(self, request: HttpRequest, share_id: uuid.UUID) -> HttpResponse:
        demand(request, [persons.WORK])
        form = HandOverForm(request.POST)
        to = form.cleaned_data["to"] if form.is_valid() else ""
        words = say("The request is handed over.")
        return self._do(request, share_id, operations.hand_over, words, to=to)

    def recommend(self, request: HttpRequest, share_id: uuid.UUID) -> HttpResponse:
        demand(request, [persons.WORK])
        words = say("Your recommendation is recorded. A second officer decides.")
        return self._judge(request, share_id, "recommend", operations.recommend, words)

    def decide(self, request: HttpRequest, share_id: uuid.UUID) -> HttpResponse:
        demand(request, [persons.DECIDE])
        words = say("The request is decided. Both parties are told.")
        return self._judge(request, share_id, "decide", operations.decide, words)

    def _judge(
        self,
        request: HttpRequest,
        share_id: uuid.UUID,
        act: str,
        call: Callable[..., Any],
        words: str,
    ) -> HttpResponse:
        """First what would be said to whom; it is done by a second POST, `confirmed`."""
        form = VerdictForm(request.POST)
        is_valid = form.is_valid()
        if is_valid and "confirmed" in request.POST:
            answer = self._do(request, share_id, partial(call, said=form.said), words)
            if answer.status_code == 409:
                _keep_draft(request, share_id)
            return answer
        try:
            case = _looked_at(request, share_id, what="review case")
        except Refused as refused:
            return self._conflict(request, share_id, refused)
        if act not in pages.to_do(case, request.user).acts:  # type: ignore[arg-type]
            _keep_draft(request, share_id)
            changed = CaseRefusal.DATA_CHANGED
            messages.error(request, f"{changed.title}. {changed.sentence}")
            return redirect(page_of(share_id))
        if not is_valid or "change" in request.POST:
            return self._case(request, case, form=form)
        verdict, reason = Verdict(form.cleaned_data["verdict"]), form.cleaned_data["reason"]
        context = {
            "case": case,
            "act": act,
            "form": form,
            "verdict": verdict,
            "reason": reason_in_words(reason),
            "is_stale": form.cleaned_data["seen"] != case.evidence.digest,
            "letters": pages.letters(case.share, verdict, reason, now=timezone.now()),
        }
        title = (
            say("Confirm the decision") if act == "decide" else say("Confirm the recommendation")
        )
        return self.own_page(request, "confirm", title, context)

    @method_decorator(sensitive_variables("value", "context"))
    def unmask(self, request: HttpRequest, share_id: uuid.UUID) -> HttpResponse:
        """The value stands on the answer to the POST only: never in an address, a session or a log."""
        demand(request, [persons.UNMASK])
        side, _colon, field = request.POST.get("what", "").partition(":")
        by, now = caller(request), timezone.now()
        try:
            value = operations.unmask(share_id, field=field, side=side, by=by, now=now)
        except Refused as refused:
            return self._conflict(request, share_id, refused)
        share = queries.share_of(share_id)
        context = {
            "share_id": share_id,
            "party": getattr(share, side),
            "label": FIELD_LABELS[field],
            "value": value,
        }
        return self.own_page(request, "unmask", say("One field in full"), context)

    def _do(
        self,
        request: HttpRequest,
        share_id: uuid.UUID,
        call: Callable[..., Any],
        words: str,
        **what: Any,
    ) -> HttpResponse:
        try:
            call(share_id, **what, by=caller(request), now=timezone.now())
        except Refused as refused:
            return self._conflict(request, share_id, refused)
        messages.success(request, words)
        return redirect(page_of(share_id))

    def _conflict(
        self, request: HttpRequest, share_id: uuid.UUID, refused: Refused
    ) -> HttpResponse:
        """Why nothing was done, who was faster, and what now."""
        context = {
            "share_id": share_id,
            "refusal": refused.reason,
            "who": getattr(refused, "who", ""),
            "at": getattr(refused, "at", None),
        }
        return self.own_page(request, "conflict", say("Nothing was done"), context)


def _named(name: str) -> str:
    return f"compliance_pendingshare_{name}"


def _keeping_draft(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """An officer who must prove his device once more finds what he had filled in when he comes back."""

    @wraps(view)
    def keeping(request: HttpRequest, share_id: uuid.UUID) -> HttpResponse:
        answer = view(request, share_id)
        if answer.headers.get("Location", "").startswith(reverse("login_confirm")):
            _keep_draft(request, share_id)
        return answer

    return keeping


def _keep_draft(request: HttpRequest, share_id: uuid.UUID) -> None:
    typed = {name: request.POST.get(name, "")[:LONGEST_NOTE] for name in DRAFTED}
    if any(typed.values()):
        request.session[_draft_of(share_id)] = typed


def _draft_of(share_id: uuid.UUID) -> str:
    return f"verdict on {share_id}"


def _looked_at(request: HttpRequest, share_id: uuid.UUID, *, what: str, **facts: str) -> Case:
    """
    The case; that somebody looks at it is on record before it is shown. Raises Refused for what concerns
    the one who looks.
    """
    user: Any = request.user
    now = timezone.now()
    case = queries.case_of(share_id, now=now)
    if case is None:
        raise Http404
    persons.refuse_own_person(user, case.share)
    facts |= {"share": str(share_id), "owner": case.share.owner.username}
    audit.viewed(subject=case.share.requester, what=what, by=caller(request), at=now, **facts)
    return case


def _title(case: Case) -> str:
    names = {"owner": case.share.owner.username, "requester": case.share.requester.username}
    return say("%(owner)s → %(requester)s") % names
