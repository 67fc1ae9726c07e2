"""
The JSON interface of the phone app: docs/phone-protocol.md, and in OpenAPI under openapi.json.

No cookie is read or set here (`sls.middleware.NoCookies`), so nothing can be done in a visitor's name by a
page of somebody else, and there is no anti-forgery token.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_safe

from portal.caller import Caller, caller
from portal.errors import Refused
from portal.live import publish
from portal.outbox.channels import webpush
from sls.browsers import browser_in_words
from sls.models import LoginPrompt, Phone, PhoneUser
from sls.prompts import operations as prompts
from sls.prompts.queries import waiting_on
from sls.prompts.rules import Decision

from . import challenges, operations, queries
from .challenges import Incoming, Signed
from .forms import LONGEST_BODY, Base64, Malformed, Nested, Text, parse, read
from .rules import PhoneRefusal

OPENAPI = json.loads((Path(__file__).parent / "openapi.json").read_text(encoding="utf-8"))
EVENTS_LIFE = timedelta(minutes=10)
SAID_ALOUD = ("tries_left", "retry_at", "ready_at", "objections")  # the facts that the app is told

STATUS = {
    400: ["malformed"],
    401: ["invalid_credentials", "invalid_signature", "clock_off", "wrong_pin", "invalid_proof"],
    403: ["phone_frozen"],
    404: ["unknown_prompt", "activation_over"],
    410: ["phone_retired", "code_over", "prompt_over"],
    429: ["too_soon", "too_many_attempts"],
}
STATUS_OF = {code: status for status, codes in STATUS.items() for code in codes}


@dataclass(frozen=True)
class Call:
    """What a handler needs to know. `signed` is None for a call that no active phone has signed."""

    incoming: Incoming
    by: Caller
    now: datetime
    signed: Signed | None = None

    @property
    def phone(self) -> Phone:
        assert self.signed is not None, "the endpoint is signed"
        return self.signed.phone


Handler = Callable[..., dict[str, Any] | tuple[int, dict[str, Any]]]
View = Callable[..., HttpResponse]


def endpoint(method: str, *, signed: bool | None) -> Callable[[Handler], View]:
    """
    A handler as a view. `signed`: always (True), never (False), or if there is a signature of an active phone
    (None).
    """

    def decorate(handler: Handler) -> View:
        @csrf_exempt
        @wraps(handler)
        @sensitive_variables()
        def view(request: HttpRequest, **names: Any) -> HttpResponse:
            now = timezone.now()
            try:
                if request.method != method:
                    return _not_allowed(method)
                call = _call(request, signed, now=now)
                found = handler(call, **names)
                status, data = found if isinstance(found, tuple) else (200, found)
            except Malformed as error:
                too_long = len(request.body) > LONGEST_BODY
                return _error(
                    PhoneRefusal.MALFORMED, 413 if too_long else 400, now, {"detail": str(error)}
                )
            except Refused as refused:
                told = {name: refused.facts[name] for name in SAID_ALOUD if name in refused.facts}
                return _error(refused.reason, STATUS_OF.get(refused.code, 409), now, told)
            return answer(data, now=now, status=status)

        return view

    return decorate


def by_method(**views: View) -> View:
    """One address, several methods."""

    @csrf_exempt
    def view(request: HttpRequest, **names: Any) -> HttpResponse:
        chosen = views.get((request.method or "").lower())
        return chosen(request, **names) if chosen else _not_allowed(", ".join(views).upper())

    return view


def _call(request: HttpRequest, signed: bool | None, *, now: datetime) -> Call:
    if request.META.get("QUERY_STRING"):
        raise Malformed("a query string")
    if (
        int(request.META.get("CONTENT_LENGTH") or 0) > LONGEST_BODY
        or len(request.body) > LONGEST_BODY
    ):
        raise Malformed("too long")
    if request.body and request.content_type != "application/json":
        raise Malformed("not application/json")
    incoming = Incoming(
        method=request.method or "",
        path=request.path,
        body=request.body,
        authorization=request.headers.get("Authorization", ""),
        proof=request.headers.get("Phone-Proof", ""),
        origins=_origins(request),
    )
    by = caller(request)
    has_phone = incoming.authorization.startswith("Phone ")
    is_new = incoming.authorization.startswith("Phone new:")
    if signed or (signed is None and has_phone and not is_new):
        return Call(incoming, by, now, challenges.authenticate(incoming, by=by, now=now))
    return Call(incoming, by, now)


def _origins(request: HttpRequest) -> tuple[str, ...]:
    """Where the app may run: the portal's own address, and what the operator names. On one's own machine any port."""
    own = [f"{request.scheme}://{request.get_host()}"] if settings.IS_LOCAL else []
    return (settings.BASE_URL, *settings.PHONE_ORIGINS, *own)


def answer(data: dict[str, Any], *, now: datetime, status: int = 200) -> HttpResponse:
    response = JsonResponse(data | {"server_time": written(now)}, status=status)
    patch_vary_headers(response, ["Accept-Language"])
    return response


def _error(reason: Any, status: int, now: datetime, told: dict[str, Any]) -> HttpResponse:
    words = {
        "code": reason.code,
        "title": str(reason.title),
        "sentence": str(reason.sentence),
        "cure": str(reason.cure),
    }
    return answer({"error": words | told}, now=now, status=status)


def _not_allowed(methods: str) -> HttpResponse:
    response = _error(PhoneRefusal.MALFORMED, 405, timezone.now(), {})
    response.headers["Allow"] = methods
    return response


def written(moment: datetime) -> str:
    """RFC 3339 in UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- Endpoints -----------------------------------------------------------------------------------------


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    return JsonResponse(OPENAPI)


@endpoint("GET", signed=True)
def phone(call: Call) -> dict[str, Any]:
    phone = call.phone
    return {
        "phone": str(phone.pk),
        "state": phone.state,
        "platform": phone.platform,
        "has_pin": phone.has_pin,
        "has_webauthn": phone.has_credential,
        "has_push": phone.has_push,
        "users": [_user(row) for row in queries.usernames_on(phone)],
        "push_key": webpush.public_key(),
        "brand": settings.BRAND["name"],
    }


def _user(row: PhoneUser) -> dict[str, Any]:
    return {
        "user": str(row.pk),
        "username": row.user.username,
        "person": row.user.entity.name,
        "serial": row.grant.device.serial,
        "since": written(row.activated_at),
        "is_seamless": row.is_seamless,
    }


@endpoint("GET", signed=True)
def waiting(call: Call) -> dict[str, Any]:
    found = [_prompt(row, call.now) for row in waiting_on(call.phone, now=call.now)]
    topic = prompts.topic_of_phone(call.phone)
    events = "" if found else publish.address(publish.token(topic, EVENTS_LIFE))
    return {"prompts": found, "events": events}


def _prompt(prompt: LoginPrompt, now: datetime) -> dict[str, Any]:
    return {
        "id": str(prompt.pk),
        "attempt": str(prompt.attempt_id),
        "user": str(prompt.phone_user_id),
        "username": prompt.user.username,
        "person": prompt.user.entity.name,
        "brand": settings.BRAND["name"],
        "place": prompt.attempt.address,
        "browser": browser_in_words(prompt.attempt.browser),
        "started_at": written(prompt.created_at),
        "expires_at": written(prompt.expires_at),
        "seconds_left": int((prompt.expires_at - now).total_seconds()),
        "asks_number": bool(prompt.number),
    }


DECISION = {
    "attempt": Text(36, 36),
    "username": Text(40),
    "decision": Text(7, pattern="|".join(Decision)),
    "number": Text(2, 0, pattern="[0-9]{0,2}"),
}


@endpoint("POST", signed=True)
def decide(call: Call, prompt_id: UUID) -> dict[str, Any]:
    given = read(call.incoming.body, DECISION)
    assert call.signed is not None
    prompt = prompts.find(
        call.phone, prompt_id, attempt=given["attempt"], username=given["username"]
    )
    evidence = call.signed.evidence
    match Decision(given["decision"]):
        case Decision.APPROVE:
            operations.prove(call.signed, by=call.by, now=call.now)
            prompts.approve(
                prompt, number=given["number"], evidence=evidence, by=call.by, now=call.now
            )
            return {"state": "approved"}
        case Decision.DENY:
            prompts.deny(prompt, evidence=evidence, by=call.by, now=call.now)
            return {"state": "denied"}
        case _:
            prompts.cancel(prompt, by=call.by, now=call.now)
            return {"state": "cancelled"}


@endpoint("POST", signed=True)
def pin(call: Call) -> dict[str, Any]:
    given = read(call.incoming.body, {"pin": Text(32), "pin_key": Base64(32)})
    assert call.signed is not None
    advice = operations.change_pin(
        call.signed, pin=given["pin"], pin_key=given["pin_key"], by=call.by, now=call.now
    )
    return {"pin_advice": advice}


@endpoint("PUT", signed=True)
def subscribe(call: Call) -> dict[str, Any]:
    parse(call.incoming.body)
    operations.subscribe(
        call.phone, subscription=call.incoming.body.decode(), by=call.by, now=call.now
    )
    return {"has_push": True}


@endpoint("DELETE", signed=True)
def unsubscribe(call: Call) -> dict[str, Any]:
    operations.unsubscribe(call.phone, by=call.by, now=call.now)
    return {"has_push": False}


push = by_method(put=subscribe, delete=unsubscribe)

__all__ = ["Base64", "Call", "Malformed", "Nested", "Text", "answer", "endpoint", "read", "written"]
