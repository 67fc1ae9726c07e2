"""Authenticators of allauth.mfa, in bulk."""

import base64
from collections.abc import Sequence

from allauth.mfa.models import Authenticator
from allauth.mfa.utils import encrypt
from django.contrib.auth.models import User

from bench.peers.credentials import secret_of


def give(people: Sequence[User]) -> None:
    Authenticator.objects.bulk_create(
        [
            Authenticator(
                user=user,
                type=Authenticator.Type.TOTP,
                data={"secret": encrypt(base64.b32encode(secret_of(user.username)).decode())},
            )
            for user in people
        ],
        batch_size=5000,
    )
