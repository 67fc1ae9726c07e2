"""Reading the environment: what mode we run in, and values that fail loudly when they are missing."""

import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent


class Environment(environ.Env):  # type: ignore[misc]
    """A malformed value is named by its variable; the value itself, which may be a secret, is not."""

    def get_value(self, var: str, cast: Any = None, *args: Any, **options: Any) -> Any:
        try:
            return super().get_value(var, cast, *args, **options)
        except ValueError as error:
            form = getattr(cast, "__name__", "")
            kind = {"int": "a whole number", "float": "a number"}.get(form, "what it must be")
            raise ImproperlyConfigured(f"{var} is not {kind}.") from error


env = Environment()

PRODUCTION_NAMES = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "VAULT_KEYS", "ALLOWED_HOSTS")
DEMO_MODE: bool = env.bool("DEMO_MODE", not any(os.environ.get(name) for name in PRODUCTION_NAMES))
VAR_DIR = Path(os.environ.get("VAR_DIR", BASE_DIR / "var")).resolve()


def required(name: str) -> str:
    """The variable's value; in production mode a missing one stops the start."""
    value = os.environ.get(name, "")
    if not value:
        raise ImproperlyConfigured(
            f"{name} is missing. Production mode needs {', '.join(PRODUCTION_NAMES)}."
        )
    return value


def chosen(name: str, value: str, known: Iterable[str]) -> str:
    """`value`, when it is one of those that are known; else the start stops."""
    if value not in (words := list(known)):
        raise ImproperlyConfigured(f"{name}: {value!r} is none of {', '.join(words)}.")
    return value


def time_zone(name: str) -> str:
    """`name`, when it is one of the IANA database. Raises ValueError."""
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError from error


def kept_secret(name: str) -> str:
    """The environment's value, or in demo mode one made once and kept in a file only we can read."""
    if not DEMO_MODE:
        return required(name)
    if value := os.environ.get(name):
        return value
    path = VAR_DIR / f"{name.lower()}.txt"
    if not path.exists():
        VAR_DIR.mkdir(parents=True, exist_ok=True)
        made = {
            "SECRET_KEY": secrets.token_urlsafe(48),
            "VAULT_KEYS": "d1:" + secrets.token_hex(32),
            "VAPID_PRIVATE_KEY": secrets.token_urlsafe(32),
        }[name]
        scratch = path.with_suffix(f".{os.getpid()}")
        scratch.touch(mode=0o600)
        scratch.write_text(made)
        try:
            os.link(scratch, path)  # the first of several starting processes wins
        except FileExistsError:
            pass
        scratch.unlink()
    return path.read_text().strip()
