"""allauth's quickstart and `allauth.mfa`; no e-mail verification; its rate limits are on, and out of reach."""

from bench.peers.settings import *  # noqa: F403
from bench.peers.settings import INSTALLED_APPS, MIDDLEWARE

ROOT_URLCONF = "bench.peers.allauth.urls"
INSTALLED_APPS += ["allauth", "allauth.account", "allauth.mfa"]
MIDDLEWARE += ["allauth.account.middleware.AccountMiddleware"]
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
LOGIN_URL = "account_login"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_RATE_LIMITS = {
    "login": "1000000/m/ip",
    "login_failed": "1000000/m/ip,1000000/5m/key",
}
MFA_TOTP_TOLERANCE = 1  # as the other peer's: else a code typed as its period ends would be refused
