"""The broker, the processes beside us, and the gateways that carry messages."""

import smtplib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import redis
from django.conf import settings

from portal import heartbeats
from portal.broker import broker
from portal.models import Heartbeat
from portal.outbox.channels import routes
from portal.outbox.channels.providers.base import Provider

from .finding import Finding

PATIENCE = 5.0  # seconds
START = {
    "worker": "Start a worker: celery -A portal worker.",
    "beat": "Start one beat: celery -A portal beat. It also needs the broker.",
}
JUST_STARTED = (
    "If it was started within the last half minute, look again: its first mark is yet to come."
)


def reachable(now: datetime) -> Iterator[Finding]:
    try:
        broker().ping()
    except redis.RedisError as error:
        yield Finding(
            "broker",
            f"It does not answer: {type(error).__name__}. Messages wait, and browsers that wait ask by themselves.",
            "Look whether Redis runs, and whether REDIS_URL names it.",
        )
        return
    yield Finding("broker")
    try:
        memory: dict[str, Any] = broker().info("memory")  # type: ignore[assignment]
        kept: dict[str, Any] = broker().info("persistence")  # type: ignore[assignment]
    except redis.RedisError:  # a managed Redis may not tell
        return
    policy = memory.get("maxmemory_policy", "noeviction")
    yield Finding(
        "memory policy of the broker",
        "" if policy == "noeviction" else f"{policy} throws hints away when memory is short.",
        "Set maxmemory-policy noeviction.",
    )
    is_kept = kept.get("aof_enabled") or kept.get("rdb_last_save_time")
    yield Finding(
        "persistence of the broker",
        ""
        if is_kept
        else "A restart forgets the hints; the sweep finds the messages seconds later.",
        "Set appendonly yes.",
        advised=True,
    )


def at_work(now: datetime) -> Iterator[Finding]:
    for kind, fix in START.items():
        seen = heartbeats.last_seen(kind)
        if seen is None:
            why = "None was seen in the last hour."
        elif now - seen > heartbeats.STALE:
            why = f"Last seen {int((now - seen).total_seconds())} s ago."
        else:
            why = ""
        yield Finding(kind, why, f"{fix} {JUST_STARTED}")
    beats = Heartbeat.objects.filter(kind="beat", seen_at__gt=now - heartbeats.STALE).count()
    yield Finding(
        "number of beats",
        f"{beats} are at work: everything timed happens {beats} times." if beats > 1 else "",
        "Stop all but one. After a move from one machine to another this passes by itself in minutes.",
        advised=True,
    )


def gateways(now: datetime) -> Iterator[Finding]:
    channels = settings.MESSAGE_CHANNELS
    if channels["email"].endswith(".email"):
        yield _email()
    if channels["sms"].endswith(".sms"):
        yield from _sms()
    folders = [name for name, path in channels.items() if path.endswith(".folder")]
    if folders and not settings.DEMO_MODE:
        yield Finding(
            "channels",
            f"{', '.join(folders)}: messages become files and reach nobody.",
            "Take MESSAGE_FOLDER away, and set EMAIL_URL and SMS_URL.",
            advised=True,
        )


def _email() -> Finding:
    what = "e-mail gateway"
    host, port = settings.EMAIL_HOST, settings.EMAIL_PORT
    try:
        if getattr(settings, "EMAIL_USE_SSL", False):
            context = ssl.create_default_context()
            with smtplib.SMTP_SSL(host, port, timeout=PATIENCE, context=context) as server:
                _greet(server)
        else:
            with smtplib.SMTP(host, port, timeout=PATIENCE) as server:
                if getattr(settings, "EMAIL_USE_TLS", False):
                    server.starttls(context=ssl.create_default_context())
                _greet(server)
    except (OSError, smtplib.SMTPException) as error:
        return Finding(
            what,
            f"{host}:{port} does not take us: {type(error).__name__}.",
            "Look at EMAIL_URL, the firewall and the server's certificate.",
        )
    return Finding(what)


def _greet(server: smtplib.SMTP) -> None:
    server.ehlo()
    if settings.EMAIL_HOST_USER:
        server.login(settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD)


def _sms() -> Iterator[Finding]:
    if not settings.SMS_PROVIDERS:
        yield Finding(
            "SMS gateway", "There is none: SMS are set aside.", "Set SMS_URL.", advised=True
        )
    providers = filter(None, map(routes.provider, settings.SMS_PROVIDERS))
    found = [_sms_provider(one) for one in providers if one.scheme != "folder"]
    others_carry_on = any(finding.is_well for finding in found)
    for finding in found:
        yield finding if finding.is_well else replace(finding, advised=others_carry_on)


def _sms_provider(provider: Provider) -> Finding:
    what, host, port = f"SMS gateway {provider.name}", provider.url.hostname or "", provider.port
    try:
        socket.create_connection((host, port), timeout=PATIENCE).close()
    except OSError as error:
        return Finding(
            what,
            f"{host}:{port} cannot be reached: {type(error).__name__}.",
            "Look at SMS_URL or SMS_PROVIDERS, the name service and the firewall.",
        )
    return Finding(what)
