"""The settings, the files and the disk."""

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.core.checks import WARNING, run_checks

from .finding import Finding

LEAST_FREE = 500 * 1024 * 1024  # bytes


def mode(now: datetime) -> Iterator[Finding]:
    yield Finding(
        "mode",
        "This is the demo: invented people, known passwords." if settings.DEMO_MODE else "",
        "Set the variables of docs/operations.md, Modes.",
        advised=True,
    )
    yield Finding(
        "address",
        ""
        if settings.TLS or settings.DEMO_MODE
        else "BASE_URL is not HTTPS: passwords cross the network in clear.",
        "Let a proxy end TLS and set BASE_URL to its https:// address.",
        advised=settings.IS_LOCAL,
    )
    yield Finding(
        "proxy",
        ""
        if settings.TRUSTED_PROXIES or settings.IS_LOCAL
        else "Every visitor has the proxy's address: limits by address hit all of them together.",
        "Set TRUSTED_PROXIES to the address from which the proxy reaches the web process.",
    )
    keys = settings.VAULT_KEYS.count(":")
    yield Finding(
        "old keys",
        f"{keys} sealing keys are in use." if keys > 1 else "",
        "When every process has the newest, run rotate_secrets, and take the old one away.",
        advised=True,
    )


def checks(now: datetime) -> Iterator[Finding]:
    """Django's own, with those for deployments where there is HTTPS."""
    found = run_checks(include_deployment_checks=settings.TLS)
    grave = [check for check in found if check.level >= WARNING and not check.is_silenced()]
    if not grave:
        yield Finding("settings")
    for check in grave:
        yield Finding(f"settings ({check.id})", str(check.msg), str(check.hint or "See Django."))


def files(now: datetime) -> Iterator[Finding]:
    manifest = Path(settings.STATIC_ROOT) / "staticfiles.json"
    yield Finding(
        "static files",
        "" if manifest.exists() else f"There is no {manifest.name} in {settings.STATIC_ROOT}.",
        "Run manage.py collectstatic --noinput.",
    )
    folder = next(path for path in (settings.VAR_DIR, *settings.VAR_DIR.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    yield Finding(
        "disk",
        f"{free // 1024**2} MB are free under {folder}." if free < LEAST_FREE else "",
        "Make room; SQLite and logs stop the portal when there is none.",
    )
    loose = [
        path.name
        for path in settings.VAR_DIR.glob("*.txt")
        if path.stat().st_mode & 0o077  # the demo's secrets, and what may lie beside them
    ]
    yield Finding(
        "secrets on disk",
        f"Others may read {', '.join(loose)}." if loose else "",
        f"chmod 600 the files in {settings.VAR_DIR}.",
    )
