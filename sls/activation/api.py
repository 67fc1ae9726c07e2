"""The calls of an activation: docs/phone-protocol.md sections 5 to 7."""

import json
from hashlib import sha256
from typing import Any

from django.conf import settings

from portal.errors import Refused
from portal.outbox.channels import webpush
from sls import numbers, pins
from sls.catalog import IB_KEY_SUITE, DeviceKind
from sls.models import PhoneUser
from sls.phone import challenges
from sls.phone import operations as phones
from sls.phone.api import Call, endpoint, written
from sls.phone.forms import Malformed, parse, read
from sls.phone.rules import PhoneRefusal, to_base64url

from . import completion, forms, operations, queries
from .completion import Keys
from .operations import Started
from .rules import ActivationRefusal

Answer = dict[str, Any] | tuple[int, dict[str, Any]]


@endpoint("GET", signed=False)
def countries(call: Call) -> Answer:
    allowed = numbers.allowed_countries(settings.PHONE_COUNTRIES)
    return {"countries": [country._asdict() for country in numbers.countries(allowed)]}


@endpoint("POST", signed=None)
def start(call: Call) -> Answer:
    given = read(call.incoming.body, forms.START)
    started = operations.start(
        **given, by=call.by, now=call.now, phone=call.phone if call.signed else None
    )
    return 201, _started(started)


def _started(started: Started) -> dict[str, Any]:
    activation, background = started.activation, started.background
    standing = background.standing(activation, background.first_number)
    return {
        "activation": started.secret,
        "expires_at": written(activation.expires_at),
        "username": activation.user.username,
        "user": str(activation.pk),
        "person": activation.user.entity.name,
        "brand": settings.BRAND["name"],
        "numbers": [
            {
                "id": choice.id,
                "masked": numbers.masked(choice.e164),
                "is_default": choice.is_default,
                "is_first_used": choice.is_first_used,
            }
            for choice in background.choices()
        ],
        "may_add_number": not standing.is_protected or standing.has_device,
        "agreement": {
            "is_needed": standing.is_protected,
            "pin_may_replace": standing.is_protected and background.has_pin,
            "may_wait": standing.is_protected and bool(background.first_number),
            "devices": [
                {
                    "id": str(grant.pk),
                    "kind": grant.device.kind,
                    "name": str(DeviceKind(grant.device.kind).label),
                    "serial": grant.device.serial_masked,
                }
                for grant in background.devices
            ],
        },
        "pin": {
            "shortest": pins.SHORTEST,
            "longest": pins.LONGEST,
            "is_strict": settings.PIN_GUIDELINES == pins.Guidelines.STRICT,
        },
        "webauthn": _registration(started),
    }


def _registration(started: Started) -> dict[str, Any]:
    """What `navigator.credentials.create()` needs. The user's handle says nothing about him."""
    username = started.activation.user.username
    handle = sha256(f"webauthn|{started.activation.user_id}".encode()).digest()
    return {
        "rp": {"id": settings.PHONE_RP_ID, "name": settings.BRAND["name"]},
        "user": {"id": to_base64url(handle), "name": username, "displayName": username},
        "challenge": to_base64url(operations.registration_challenge(started.secret)),
    }


@endpoint("POST", signed=None)
def code(call: Call) -> Answer:
    is_known = "number" in parse(call.incoming.body)
    given = read(call.incoming.body, forms.KNOWN_NUMBER if is_known else forms.NEW_NUMBER)
    activation = _find(call, given)
    sent = operations.send_code(
        activation,
        number_id=given.get("number", ""),
        country=given.get("country", ""),
        national=given.get("national", ""),
        by=call.by,
        now=call.now,
    )
    assert sent.code_expires_at is not None
    assert sent.resend_at is not None
    return 202, {
        "masked": numbers.masked(sent.number),
        "expires_at": written(sent.code_expires_at),
        "resend_at": written(sent.resend_at),
        "tries_left": operations.tries_left(sent, now=call.now),
    }


@endpoint("POST", signed=None)
def message(call: Call) -> Answer:
    """What became of the SMS; asked again while the client waits for it."""
    standing = queries.standing_of_code(_find(call, read(call.incoming.body, forms.MESSAGE)))
    if standing is None:
        raise Refused(ActivationRefusal.CODE_OVER)
    return {
        "progress": str(standing.progress),
        "sentence": str(standing.sentence),
        "cure": str(standing.cure),
        "advice": [str(words) for words in standing.advice],
    }


def _find(call: Call, given: dict[str, Any]) -> Any:
    phone = call.phone if call.signed else None
    return operations.find(given["activation"], phone=phone, now=call.now)


@endpoint("POST", signed=None)
def ask(call: Call) -> Answer:
    given = read(call.incoming.body, forms.ASK)
    activation = _find(call, given)
    challenge = operations.ask(activation, grant_id=int(given["device"]), by=call.by, now=call.now)
    return {
        "element": str(challenge.device.traits.element),
        "question": challenge.question,
        "expires_at": written(challenge.expires_at),
    }


@endpoint("POST", signed=None)
def agree(call: Call) -> Answer:
    given = read(call.incoming.body, forms.AGREE)
    operations.agree(_find(call, given), response=given["response"], by=call.by, now=call.now)
    return {"is_agreed": True}


@endpoint("POST", signed=None)
def activate(call: Call) -> Answer:
    given = read(call.incoming.body, forms.ACTIVATE if call.signed else forms.ACTIVATE_NEW)
    if call.signed:
        phones.prove(call.signed, by=call.by, now=call.now)
        keys = Keys(ocra_key=given["ocra_key"])
    else:
        keys = _new_keys(call, given)
    outcome = completion.activate(
        _find(call, given),
        code=given["code"],
        keys=keys,
        recovery_pin=given["recovery_pin"],
        accepts_wait=given["accepts_wait"],
        by=call.by,
        now=call.now,
    )
    if outcome.phone_user is None:
        assert outcome.ready_at is not None
        return 202, {"state": "waiting", "ready_at": written(outcome.ready_at)}
    return 201, _activated(outcome.phone_user) | {"pin_advice": outcome.pin_advice}


def _new_keys(call: Call, given: dict[str, Any]) -> Keys:
    """The keys of a new phone, which has signed the request with one of them. Raises Refused."""
    if bool(given["pin"]) != bool(given["pin_key"]):
        raise Malformed("pin and pin_key come together")
    if not given["pin"] and not given["webauthn"]:
        raise Refused(ActivationRefusal.NO_ELEMENT)
    try:
        challenges.point(given["public_key"])
    except ValueError as error:
        raise Refused(PhoneRefusal.INVALID_KEY) from error
    challenges.check_new_key(call.incoming, given["public_key"], now=call.now)
    credential = None
    if given["webauthn"]:
        credential = challenges.register(
            json.loads(given["webauthn"]),
            challenge=operations.registration_challenge(given["activation"]),
            origins=call.incoming.origins,
        )
    return Keys(
        ocra_key=given["ocra_key"],
        public_key=given["public_key"],
        name=given["name"],
        pin=given["pin"],
        pin_key=given["pin_key"],
        credential=credential,
    )


def _activated(row: PhoneUser) -> dict[str, Any]:
    return {
        "phone": str(row.phone_id),
        "user": str(row.pk),
        "username": row.user.username,
        "person": row.user.entity.name,
        "brand": settings.BRAND["name"],
        "serial": row.grant.device.serial,
        "suite": IB_KEY_SUITE,
        "rp_id": settings.PHONE_RP_ID,
        "push_key": webpush.public_key(),
    }
