"""TOTP devices of django-otp, in bulk."""

from collections.abc import Sequence

from django.contrib.auth.models import User
from django_otp.plugins.otp_totp.models import TOTPDevice

from bench.peers.credentials import secret_of


def give(people: Sequence[User]) -> None:
    TOTPDevice.objects.bulk_create(
        [
            TOTPDevice(
                user=user, name="default", confirmed=True, key=secret_of(user.username).hex()
            )
            for user in people
        ],
        batch_size=5000,
    )
