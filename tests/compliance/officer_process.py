"""
One process of several that act on the same cases: reads commands from its input, one JSON a line, answers
likewise. Run as a module with the environment of the database it is to work on.
"""

import json
import sys
import time
from datetime import datetime
from typing import Any

import django

django.setup()

from django.db import connection  # noqa: E402

from compliance.models import Verdict  # noqa: E402
from compliance.review import operations  # noqa: E402
from compliance.review.operations import Judgement  # noqa: E402
from compliance.review.rules import Conflict  # noqa: E402
from portal.errors import Refused  # noqa: E402
from portal.models import OutboxMessage  # noqa: E402
from sls.devices import operations as devices  # noqa: E402
from sls.models import (  # noqa: E402
    DeviceGrant,
    DeviceState,
    GrantState,
    SecurityDevice,
    ShareRequest,
    ShareState,
    Suspension,
)
from sls.sharing import completion  # noqa: E402
from sls.sharing.queries import shares  # noqa: E402
from sls.suspension import operations as suspensions  # noqa: E402
from tests.compliance.desk import (  # noqa: E402
    RIGHTS,
    at_desk,
    digest,
    entitle,
    wait_for_approval,
)
from tests.conftest import by, person  # noqa: E402


def prepare(now: datetime, reviewers: int) -> dict[str, Any]:
    """A new request that waits, whatever became of the last one."""
    for plays in ("officer", "second_officer"):
        entitle(plays, *RIGHTS)
    for share in shares().filter(state=ShareState.ENFORCED):
        completion.cancel(share, by=by("requester"), now=now)
    for share in shares().filter(state=ShareState.PENDING):
        completion.withdraw(share, by=by("requester"), now=now)
    Suspension.objects.filter(resumed_at=None).update(resumed_at=now, resumed_by=person("officer"))
    owners = DeviceGrant.objects.filter(user=person("other_entity"), share__isnull=True)
    SecurityDevice.objects.filter(grants__in=owners).update(state=DeviceState.ACTIVE)
    OutboxMessage.objects.filter(event="device_revoked").delete()  # once for each device
    owners.update(state=GrantState.ACTIVE, confirmed=True, ended_at=None)
    share = wait_for_approval(now=now)
    ShareRequest.objects.filter(pk=share.pk).update(reviewers=reviewers)
    return {"share": str(share.pk), "seen": digest(share, now)}


def decide(now: datetime, share: str, plays: str, verdict: str, seen: str) -> dict[str, Any]:
    reason = "same_person" if verdict == Verdict.APPROVE else "identity_unclear"
    said = Judgement(Verdict(verdict), reason, "Looked at everything.", seen)
    case = operations.decide(shares().get(pk=share).pk, said, by=at_desk(plays), now=now)
    return {"done": case.decision}


def claim(now: datetime, share: str, plays: str) -> dict[str, Any]:
    case = operations.claim(shares().get(pk=share).pk, by=at_desk(plays), now=now)
    return {"done": case.claimed_by.username if case.claimed_by else ""}


def withdraw(now: datetime, share: str) -> dict[str, Any]:
    completion.withdraw(shares().get(pk=share), by=by("requester"), now=now)
    return {"done": "withdrawn"}


def suspend(now: datetime, share: str) -> dict[str, Any]:
    device = shares().get(pk=share).device
    suspensions.suspend(device, reason="lost", may_strand=True, by=by("administrator"), now=now)
    return {"done": "suspended"}


def revoke(now: datetime, share: str) -> dict[str, Any]:
    device = shares().get(pk=share).device
    devices.revoke(device, reason="lost", may_strand=True, by=by("administrator"), now=now)
    return {"done": "revoked"}


COMMANDS = {
    "prepare": prepare,
    "decide": decide,
    "claim": claim,
    "withdraw": withdraw,
    "revoke": revoke,
    "suspend": suspend,
}


def obey(asked: dict[str, Any]) -> dict[str, Any]:
    command = COMMANDS[asked.pop("do")]
    at = asked.pop("at", 0)
    asked["now"] = datetime.fromisoformat(asked["now"])
    connection.ensure_connection()
    while time.time() < at:
        pass
    try:
        return command(**asked)
    except Conflict as conflict:
        return {"code": conflict.code, "who": conflict.who}
    except Refused as refused:
        return {"code": refused.code}


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(obey(json.loads(line))) + "\n")
        sys.stdout.flush()
