"""
Every setting of the project, top to bottom.

With no environment at all the portal runs in *demo mode*: SQLite and an embedded Valkey under `var/`,
secrets made at the first start and kept there, invented data, only on this machine. As soon as one of
`DATABASE_URL`, `REDIS_URL`, `SECRET_KEY`, `VAULT_KEYS` or `ALLOWED_HOSTS` is set it runs in *production
mode*, which refuses to start when any of them is missing or weak.
"""

import logging
import os
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from portal import jobs, logs
from portal.environment import (
    BASE_DIR,
    DEMO_MODE,
    VAR_DIR,
    chosen,
    env,
    kept_secret,
    required,
    time_zone,
)

DEBUG = env.bool("DEBUG", False)

# --- Secrets -----------------------------------------------------------------------------------------

SECRET_KEY = kept_secret("SECRET_KEY")
# Old ones, while they still open.
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
VAULT_KEYS = kept_secret("VAULT_KEYS")  # "id:64 hex digits", newest first, separated by commas

# Optional: names us to push services (RFC 8292). 32 bytes in base64url; without it there is no web push.
VAPID_PRIVATE_KEY = (
    kept_secret("VAPID_PRIVATE_KEY") if DEMO_MODE else env.str("VAPID_PRIVATE_KEY", "")
)

if not DEMO_MODE:
    if DEBUG:
        raise ImproperlyConfigured("DEBUG must be off in production mode.")
    if (
        len(SECRET_KEY) < 50
        or len(set(SECRET_KEY)) < 10
        or SECRET_KEY.startswith("django-insecure")
    ):
        raise ImproperlyConfigured("SECRET_KEY is weak: use 50 random characters or more.")

# --- Where we are reached ----------------------------------------------------------------------------

LOOPBACK_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
ALLOWED_HOSTS = (
    env.list("ALLOWED_HOSTS", default=LOOPBACK_HOSTS)
    if DEMO_MODE
    else [host.strip() for host in required("ALLOWED_HOSTS").split(",")]
)
if "*" in ALLOWED_HOSTS:
    raise ImproperlyConfigured("ALLOWED_HOSTS must name the hosts; '*' is refused.")
IS_LOCAL: bool = ALLOWED_HOSTS[0] in LOOPBACK_HOSTS  # then nobody ends TLS before us
BASE_URL = env.str(
    "BASE_URL", "http://127.0.0.1:8000" if IS_LOCAL else f"https://{ALLOWED_HOSTS[0]}"
)
TLS = BASE_URL.startswith("https://")
if DEMO_MODE and not IS_LOCAL:
    raise ImproperlyConfigured(
        "Demo mode is for this machine only: ALLOWED_HOSTS must be loopback."
    )
if not (TLS or IS_LOCAL):
    raise ImproperlyConfigured("BASE_URL must begin with https:// on a host that others reach.")
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])

BRAND = {"name": env.str("BRAND_NAME", "Client Portal")}

# --- Applications ------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "compliance",
    "sls",
    "portal",
    "portal.apps.PortalAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_otp",
    "crispy_forms",
    "crispy_bootstrap5",
]

MIDDLEWARE = [
    "portal.middleware.Headers",
    "portal.middleware.RequestId",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "sls.middleware.NoCookies",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "sls.middleware.VerifiedUser",
    "sls.access.LimitedStage",
    "django.contrib.messages.middleware.MessageMiddleware",
    "portal.middleware.IdleSessions",
    "portal.middleware.Refusals",
]

ROOT_URLCONF = "portal.urls"
ASGI_APPLICATION = "portal.asgi.application"
WSGI_APPLICATION = "portal.wsgi.application"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": [
                (
                    "portal.folding.Loader",
                    [
                        "django.template.loaders.filesystem.Loader",
                        "django.template.loaders.app_directories.Loader",
                    ],
                )
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.context.shell",
            ],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.DjangoTemplates"
CRISPY_ALLOWED_TEMPLATE_PACKS = "bootstrap5"
CRISPY_TEMPLATE_PACK = "bootstrap5"

# --- Database: docs/adr/0002-sqlite-by-default.md -----------------------------------------------------

DATABASES: dict[str, dict[str, Any]] = {
    "default": env.db_url_config(
        os.environ.get("DATABASE_URL", f"sqlite:///{VAR_DIR / 'portal.sqlite3'}")
        if DEMO_MODE
        else required("DATABASE_URL")
    )
}
DATABASE = DATABASES["default"]
if DATABASE.get("ENGINE") == "django.db.backends.sqlite3":
    DATABASE["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": env.float("LOCK_SECONDS", 20),
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
elif DATABASE.get("ENGINE") == "django.db.backends.postgresql":
    DATABASE["ENGINE"] = "portal.postgresql"
    DATABASE["OPTIONS"] = {
        **DATABASE.get("OPTIONS", {}),
        "options": f"-c lock_timeout={env.float('LOCK_SECONDS', 5)}s"
        f" -c statement_timeout={env.float('STATEMENT_SECONDS', 15)}s"
        # Prepared statements are planned once (portal.postgresql); values go into no other statement's plan.
        " -c plan_cache_mode=force_generic_plan",
        "prepare_threshold": 2 if env.bool("PREPARED_STATEMENTS", True) else None,
    }
else:
    raise ImproperlyConfigured("DATABASE_URL must begin with postgres:// or sqlite://.")
DATABASE["CONN_MAX_AGE"] = None  # threads of a2wsgi live long and keep their connection
DATABASE["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Who may come in ---------------------------------------------------------------------------------

AUTH_USER_MODEL = "portal.User"
AUTHENTICATION_BACKENDS = ["portal.backends.EntityBackend"]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
PASSWORD_HASHERS = ["portal.hashers.OneLaneArgon2"]
if env.bool("CHEAP_HASHER", False) and DEMO_MODE:  # for benchmarks and tests only
    PASSWORD_HASHERS = ["portal.hashers.Cheap"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
] + [{"NAME": "portal.validators.LetterAndDigit"}]

SESSION_ENGINE = "portal.sessions"
SESSION_IDLE = timedelta(minutes=env.int("SESSION_IDLE_MINUTES", 15))
SESSION_LIFE = timedelta(hours=env.int("SESSION_HOURS", 8))
SESSION_COOKIE_AGE = int(SESSION_LIFE.total_seconds())
SESSION_COOKIE_NAME = "__Host-session" if TLS else "session"
SESSION_COOKIE_SECURE = TLS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "__Host-csrf" if TLS else "csrf"
CSRF_COOKIE_SECURE = TLS
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "portal.pages.views.out_of_date"
LANGUAGE_COOKIE_SECURE = TLS
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
KNOWN_BROWSER_COOKIE = "__Host-known" if TLS else "known"
KNOWN_BROWSER_LIFE = timedelta(days=env.int("KNOWN_BROWSER_DAYS", 180))
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"

# --- The Secure Login System's times and limits: facts.md section 16 ----------------------------------

CHALLENGE_LIFE = timedelta(seconds=env.int("CHALLENGE_SECONDS", 180))
# Other sizes than those of portal.throttle: "password_of_name=20,…"
LIMITS: dict[str, str] = env.dict("LIMITS", default={})
PROOF_STAYS_FRESH = timedelta(minutes=env.int("FRESH_MINUTES", 5))
LOGIN_LIFE = timedelta(seconds=env.int("LOGIN_SECONDS", 600))
WIZARD_LIFE = timedelta(seconds=env.int("WIZARD_SECONDS", 900))
RETRY_AFTER_REFUSAL = timedelta(hours=24)
# A Temporary Code opens everything, and then only the way to an Online Security Code Card (KB69).
TEMPORARY_CODE_FULL = timedelta(seconds=env.int("TEMPORARY_CODE_FULL_SECONDS", 2 * 86_400))
TEMPORARY_CODE_LIMITED = timedelta(seconds=env.int("TEMPORARY_CODE_LIMITED_SECONDS", 10 * 86_400))
CODE_REQUEST_LIFE = timedelta(seconds=env.int("CODE_REQUEST_SECONDS", 3600))
ONLINE_CARD_LIFE = timedelta(seconds=env.int("ONLINE_CARD_SECONDS", 21 * 86_400))
CARD_REQUEST_LIFE = timedelta(seconds=env.int("CARD_REQUEST_SECONDS", 86_400))
SMS_CODE_LIFE = timedelta(seconds=env.int("SMS_CODE_SECONDS", 600))
SMS_RESEND = timedelta(seconds=env.int("SMS_RESEND_SECONDS", 60))
PHONE_COUNTRIES = env.list("PHONE_COUNTRIES", default=[])  # ISO 3166-1 alpha-2; none means all
UNDO_LIFE = timedelta(days=env.int("UNDO_DAYS", 7))
NOT_ME_LIFE = timedelta(days=env.int("NOT_ME_DAYS", 7))
RESET_LIFE = timedelta(minutes=env.int("RESET_MINUTES", 30))
CODE_CARD_MODE = env.str("CODE_CARD_MODE", "no_pair_twice")
REVIEW_RULES = env.list(
    "REVIEW_RULES",
    default=[
        *("other_entity", "document_expired", "compliance_flag", "recently_refused"),
        *("new_shares", "recent_change", "several_entities"),
    ],
)
# Compliance answers within so many business days; holidays as "2026-12-25,…".
REVIEW_BUSINESS_DAYS = env.int("REVIEW_BUSINESS_DAYS", 2)
HOLIDAYS = frozenset(env.list("HOLIDAYS", cast=date.fromisoformat, default=[]))
# A change of the review rules is rehearsed on so many of the last requests (at most 5,000).
REHEARSAL_REQUESTS = env.int("REHEARSAL_REQUESTS", 1000)
CLAIM_LIFE = timedelta(hours=env.int("CLAIM_HOURS", 24))  # then a claimed case is free again

# --- The phone app: docs/phone-protocol.md -------------------------------------------------------------
PROMPT_LIFE = timedelta(seconds=env.int("PROMPT_SECONDS", 180))
NUMBER_MATCHING = env.str("NUMBER_MATCHING", "risk")  # or "always"
ACTIVATION_LIFE = timedelta(seconds=env.int("ACTIVATION_SECONDS", 900))
ACTIVATION_WAIT = timedelta(seconds=env.int("ACTIVATION_WAIT_SECONDS", 86_400))
PIN_GUIDELINES = env.str("PIN_GUIDELINES", "strict")  # or "advisory": KB2269
# WebAuthn: a credential is bound to this name; further origins are those of native apps.
PHONE_RP_ID = env.str("PHONE_RP_ID", "localhost" if IS_LOCAL else urlsplit(BASE_URL).hostname or "")
PHONE_ORIGINS = env.list("PHONE_ORIGINS", default=[])

# --- Audit: docs/audit.md ------------------------------------------------------------------------------

AUDIT_ANCHOR = env.list("AUDIT_ANCHOR", default=[])  # a file, and "syslog:…" addresses
# "package.module.decorator" for pages that want a fresh proof.
STEP_UP = "sls.access.freshly_proven"

# --- Headers -----------------------------------------------------------------------------------------

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_SSL_REDIRECT = TLS and env.bool("SSL_REDIRECT", True)
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics$"]  # asked from inside
SECURE_HSTS_SECONDS = 31_536_000 if TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = TLS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
X_FRAME_OPTIONS = "DENY"
SILENCED_SYSTEM_CHECKS = ["security.W002"]  # portal.middleware.Headers sets X-Frame-Options itself
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200

# --- Languages ---------------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE: str = env("PORTAL_TIME_ZONE", cast=time_zone, default="UTC")

# --- Static files ------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = VAR_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "portal.staticfiles.Storage"},
}

# --- Cache: rendered fragments only, keyed by all they show; never a counter or a mark (R3) --------------

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 5000},
    }
}

# --- Redis and Celery: docs/adr/0004-celery.md --------------------------------------------------------

VALKEY_SOCKET = VAR_DIR / "valkey.sock"
REDIS_URL = (
    os.environ.get("REDIS_URL", f"unix://{VALKEY_SOCKET}") if DEMO_MODE else required("REDIS_URL")
)
LIVE_STREAMS = env.int("LIVE_STREAMS", 2000)  # open at once in one process; more browsers ask
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 60
CELERY_TASK_SOFT_TIME_LIMIT = 45
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_QUEUES = jobs.TASK_QUEUES
CELERY_TASK_DEFAULT_QUEUE = "normal"
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "queue_order_strategy": "priority",  # queues are emptied in the order in which they are named
    "visibility_timeout": 120,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_timeout": 10,
    "socket_connect_timeout": 2,
}
CELERY_DB_REUSE_MAX = 1000
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = jobs.BEAT_SCHEDULE

# --- Messages ----------------------------------------------------------------------------------------

MESSAGE_FOLDER = Path(os.environ.get("MESSAGE_FOLDER", VAR_DIR / "messages"))
TO_FOLDER = DEMO_MODE or "MESSAGE_FOLDER" in os.environ
MESSAGE_CHANNELS = {
    channel: env.str(
        f"{channel.upper()}_CHANNEL", f"portal.outbox.channels.{'folder' if TO_FOLDER else usual}"
    )
    for channel, usual in (("email", "email"), ("sms", "sms"), ("push", "webpush"))
}
PUSH_HOSTS = env.list(  # a leading dot stands for every name below
    "PUSH_HOSTS",
    default=[
        "fcm.googleapis.com",
        ".push.services.mozilla.com",
        ".push.apple.com",
        ".notify.windows.com",
    ],
)
PUSH_TO_LOOPBACK = DEMO_MODE and env.bool("PUSH_TO_LOOPBACK", False)  # for tests only
# What stands above the Secure Login System forgets its rows of the demo's cast: "package.module.function".
DEMO_FORGETS = ["compliance.demo.forget"]
# Told of subscriptions that exist no more: "package.module.function".
PUSH_GONE = "sls.phone.operations.forget_subscription"
# docs/messages.md: providers by name, {"a": "twilio://sid:token@api.twilio.com/?from=+1…"}, and their order.
SMS_URL = env.str("SMS_URL", "")
SMS_PROVIDERS: dict[str, str] = env.json(
    "SMS_PROVIDERS", default={"main": SMS_URL} if SMS_URL else {}
)
SMS_ROUTES = env.str("SMS_ROUTES", "")  # "CN=b,a;*=a,b"
SMS_BACKENDS = {
    name: f"portal.outbox.channels.providers.{name}.Backend"
    for name in ("twilio", "vonage", "smpp", "folder")
} | env.dict("SMS_BACKENDS", default={})
EMAIL_CONFIG = env.email_url("EMAIL_URL", default="smtp://localhost:25")
vars().update(EMAIL_CONFIG)
EMAIL_BACKEND = env.str("EMAIL_BACKEND", EMAIL_CONFIG["EMAIL_BACKEND"])
ANYMAIL: dict[str, Any] = env.json("ANYMAIL", default={})  # read by its backends, where installed
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "client-services@portal.example")

# --- Logs and metrics ----------------------------------------------------------------------------------

LOGGING = logs.config(
    level=chosen("LOG_LEVEL", env.str("LOG_LEVEL", "INFO").upper(), logging.getLevelNamesMapping()),
    form=chosen("LOG_FORMAT", env.str("LOG_FORMAT", "line"), ("line", "json")),
)
READY_WITHOUT_BROKER = env.bool("READY_WITHOUT_BROKER", False)
# Whoever sends it may read /metrics; none means nobody.
METRICS_TOKEN = env.str("METRICS_TOKEN", "")
HEARTBEAT_FOLDER = env.str("HEARTBEAT_FOLDER", "")  # for the probes of containers: portal.probe
