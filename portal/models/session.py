"""Open sessions, as their user may see and end them."""

import hashlib
from typing import ClassVar

from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models

from .account import User


class BrowserSession(AbstractBaseSession):
    """
    Django's session row with what its user needs to recognise it. `handle` names the session in pages: it is
    derived from the key, and the key does not follow from it.
    """

    user = models.ForeignKey(
        User, models.CASCADE, null=True, related_name="sessions", db_index=False
    )
    handle = models.CharField(max_length=32, unique=True)
    address = models.CharField(max_length=45, blank=True)
    browser = models.CharField(max_length=200, blank=True)
    started_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)

    class Meta(AbstractBaseSession.Meta):
        abstract = False
        indexes: ClassVar = [models.Index(fields=["user", "-seen_at"], name="sessions_of_a_user")]


def handle_of(session_key: str) -> str:
    return hashlib.sha256(f"handle|{session_key}".encode()).hexdigest()[:32]
