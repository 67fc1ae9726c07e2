"""The installation chapter's settings, without the plugins for phones, e-mail and YubiKeys."""

from bench.peers.settings import *  # noqa: F403
from bench.peers.settings import INSTALLED_APPS, MIDDLEWARE

ROOT_URLCONF = "bench.peers.two_factor.urls"
INSTALLED_APPS += [
    "django_otp",
    "django_otp.plugins.otp_static",
    "django_otp.plugins.otp_totp",
    "two_factor",
]
_after = MIDDLEWARE.index("django.contrib.auth.middleware.AuthenticationMiddleware") + 1
MIDDLEWARE.insert(_after, "django_otp.middleware.OTPMiddleware")
LOGIN_URL = "two_factor:login"
