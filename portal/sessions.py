"""Django's database sessions, in a table their users can look at, and with fewer statements."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import CreateError
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db import IntegrityError
from django.db.models import BigIntegerField, CharField, DateTimeField, QuerySet, TextField
from django.http import HttpRequest
from django.utils import timezone
from django_otp import DEVICE_ID_SESSION_KEY

from portal.caller import digest_of_session
from portal.compiled import compiled, compiled_update, insert

KEY_LENGTH = 40  # hex digits: 160 bits
COLUMNS: dict[str, Any] = {
    "session_key": CharField(),
    "session_data": TextField(),
    "expire_date": DateTimeField(),
    "user_id": BigIntegerField(),
    "handle": CharField(),
    "address": CharField(),
    "browser": CharField(),
    "started_at": DateTimeField(),
    "seen_at": DateTimeField(),
}
STARTED, SEEN, ADDRESS, BROWSER = "started_at", "seen_at", "address", "browser"


class SessionStore(DatabaseStore):
    """
    A new key is not looked up first: it is random enough, and its INSERT would fail if it existed. A
    cycled session is written once, with everything the request put into it, when the request ends: its row
    gets its new key then, and of two requests that cycle it at once one finds the row gone.
    """

    _key_before = ""  # of a cycled session that is not saved yet
    _was_ended = False

    @classmethod
    def get_model_class(cls) -> Any:
        from portal.models import (
            BrowserSession,
        )  # models are not loaded when settings name this module

        return BrowserSession

    def load(self) -> dict[str, Any]:
        found = _session_data.first(key=self.session_key, now=timezone.now())
        if found is None:
            self._session_key = None
            return {}
        return self.decode(found[0])

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        from portal.models.session import handle_of

        row: Any = super().create_model_instance(data)
        row.user_id = data.get(SESSION_KEY)
        row.handle = handle_of(row.session_key)
        row.address = data.get(ADDRESS, "")
        row.browser = data.get(BROWSER, "")
        row.started_at = _time(data.get(STARTED))
        row.seen_at = _time(data.get(SEEN))
        return row

    def _validate_session_key(self, key: str | None) -> bool:
        # A quoted cookie may hold any octet, and PostgreSQL answers a NUL in a text with an error.
        return key is not None and len(key) == KEY_LENGTH and key.isascii() and key.isalnum()

    def _get_new_session_key(self) -> str:
        return secrets.token_hex(KEY_LENGTH // 2)

    def cycle_key(self) -> None:
        self._get_session()  # type: ignore[attr-defined]  # loaded before its key goes
        self._key_before = self.session_key or self._key_before
        self._session_key = None
        self.modified = True

    def save(self, must_create: bool = False) -> None:
        before, self._key_before = self._key_before, ""
        if before and self.session_key is None:
            self._session_key = self._get_new_session_key()
            row = self.create_model_instance(self._get_session())  # type: ignore[attr-defined]
            if _renew(before=before, **{name: getattr(row, name) for name in COLUMNS}):
                return
            self._session_key = None
        if must_create:
            self._insert()
        else:
            super().save()

    def _insert(self) -> None:
        try:
            insert(self.create_model_instance(self._get_session(no_load=True)))  # type: ignore[attr-defined]
        except IntegrityError as error:
            raise CreateError from error

    def delete(self, session_key: str | None = None) -> None:
        keys = {session_key or self.session_key, self._key_before} - {None, ""}
        if keys:
            self.model.objects.filter(session_key__in=keys).delete()

    def flush(self) -> None:
        super().flush()
        self._key_before = ""
        self._was_ended = True

    def is_empty(self) -> bool:
        """
        Empty makes the answer delete the browser's cookie: only when this request ended the session. A key
        without a row may have got its new one this very moment, by the first click of a double click,
        whose cookie must live.
        """
        return bool(super().is_empty()) and self._was_ended


@compiled(key=CharField(), now=DateTimeField())
def _session_data(key: Any, now: Any) -> QuerySet[Any, tuple[str]]:
    rows = SessionStore.get_model_class().objects.filter(session_key=key, expire_date__gt=now)
    return rows.values_list("session_data")


@compiled_update(before=CharField(), **COLUMNS)
def _renew(before: Any, **columns: Any) -> tuple[QuerySet[Any], dict[str, Any]]:
    return SessionStore.get_model_class().objects.filter(session_key=before), columns


def forget_past(*, now: datetime) -> None:
    """Delete what no longer counts; every reader compares the time itself, this only tidies up."""
    SessionStore.get_model_class().objects.filter(expire_date__lte=now).delete()


def open_for(request: HttpRequest, *, address: str, browser: str, since: str = "") -> None:
    """
    Mark a session that has just been logged in: since when, from where, with what. A session in which the
    device is proven once more is as old as it was.
    """
    now = timezone.now().isoformat()
    request.session.update({STARTED: since or now, SEEN: now, ADDRESS: address, BROWSER: browser})


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def end_proven_by(devices: Mapping[str, int], *, but: str = "") -> None:
    """
    End those sessions that have proven one of `devices`, the users' ids by django-otp's names of them; one that
    has proven another device goes on, and so does the caller's own, whose digest is `but`.
    """
    rows = SessionStore.get_model_class().objects
    ended = [
        row.pk
        for row in rows.filter(user__in=devices.values())
        if SessionStore().decode(row.session_data).get(DEVICE_ID_SESSION_KEY) in devices
        and digest_of_session(row.pk) != but
    ]
    rows.filter(pk__in=ended).delete()
