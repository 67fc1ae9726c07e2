"""
The roles of staff, shipped as groups: which role may do what.

After each `migrate` the groups are there and have at least these permissions. What an operator has added to a
group stays; what he has taken away comes back, so narrower roles belong into groups of his own.
"""

from typing import Any

from django.apps import AppConfig, apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission
from django.db import DEFAULT_DB_ALIAS

OUR_APPS = ("portal", "sls", "compliance")

LOOKS_AT_CLIENTS = frozenset({"portal.view_user", "sls.view_clientrecord"})
LOOKS_AT_DEVICES = frozenset(
    {"sls.view_securitydevice", "sls.view_devicegrant", "sls.view_suspension", "sls.view_phone"}
)
LOOKS_AT_CODES = frozenset({"sls.view_temporarycoderequest"})
LOOKS_AT_CASES = frozenset({"sls.view_callercheck", "sls.view_promptreport"})

LOOKS_AT_DECISIONS = frozenset(
    {
        *("compliance.view_pendingshare", "compliance.view_reviewcase"),
        *("compliance.view_evidenceseen", "sls.view_reviewpolicy"),
    }
)

OFFICER = (
    LOOKS_AT_CLIENTS
    | LOOKS_AT_DEVICES
    | LOOKS_AT_CODES
    | LOOKS_AT_DECISIONS
    | {
        *("portal.view_entity", "sls.view_sharerequest", "sls.confirm_temporary_code"),
        *("compliance.work_reviewcase", "compliance.decide_reviewcase"),
        "compliance.unmask_evidence",
    }
)

# Role → "app.codename". No role that checks a caller or asks for a code may also confirm one.
ROLES: dict[str, frozenset[str]] = {
    "Compliance officer": OFFICER,
    "Compliance lead": OFFICER
    | {
        *("portal.lock_user", "sls.suspend_device", "sls.resume_device", "sls.view_callercheck"),
        *("compliance.assign_reviewcase", "sls.add_reviewpolicy", "portal.view_outboxmessage"),
    },
    "Support": LOOKS_AT_CLIENTS
    | LOOKS_AT_DEVICES
    | LOOKS_AT_CODES
    | LOOKS_AT_CASES
    | {
        *("portal.lock_user", "sls.check_caller", "sls.request_temporary_code"),
        *("sls.suspend_device", "sls.freeze_phone", "sls.retire_phone", "sls.handle_report"),
        *("portal.view_outboxmessage", "portal.resend_outboxmessage"),
    },
    "Auditor": LOOKS_AT_CLIENTS
    | LOOKS_AT_DEVICES
    | LOOKS_AT_CODES
    | LOOKS_AT_CASES
    | LOOKS_AT_DECISIONS
    | {
        *("portal.view_auditevent", "portal.export_auditevent", "portal.view_outboxmessage"),
        *("portal.view_entity", "sls.view_sharerequest"),
    },
    "Security": LOOKS_AT_CLIENTS
    | LOOKS_AT_DEVICES
    | LOOKS_AT_CASES
    | {
        *("portal.lock_user", "portal.view_auditevent", "sls.add_securitydevice"),
        *("sls.print_code_card", "sls.revoke_device", "sls.suspend_device", "sls.resume_device"),
        *("sls.freeze_phone", "sls.retire_phone", "sls.handle_report", "portal.view_heartbeat"),
    },
}


def apply_after_migrate(sender: AppConfig, *, using: str = DEFAULT_DB_ALIAS, **kwargs: Any) -> None:
    """Receiver of `post_migrate`: Django makes an app's permissions after us, so they are made here first."""
    for label in OUR_APPS:
        create_permissions(apps.get_app_config(label), verbosity=0, using=using)
    known = _known(using)
    for role, wanted in ROLES.items():
        group, _is_new = Group.objects.using(using).get_or_create(name=role)
        group.permissions.add(*(known[name] for name in sorted(wanted) if name in known))


def unknown_permissions() -> list[str]:
    """Those of the table that no model has: skipped by `migrate`, named by a test."""
    wanted = {name for names in ROLES.values() for name in names}
    return sorted(wanted - set(_known(DEFAULT_DB_ALIAS)))


def _known(using: str) -> dict[str, Permission]:
    rows = Permission.objects.using(using).filter(content_type__app_label__in=OUR_APPS)
    return {
        f"{row.content_type.app_label}.{row.codename}": row
        for row in rows.select_related("content_type")
    }
