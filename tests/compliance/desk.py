"""A request that waits, and officers who may work on it."""

from dataclasses import replace

import pytest
from django.contrib.auth.models import Permission

from compliance.models import Verdict
from compliance.review import operations, queries
from compliance.review.operations import Judgement
from portal.caller import Caller
from portal.errors import Refused
from sls.models import DeviceGrant, ShareRequest
from sls.sharing import completion
from sls.sharing import operations as sharing
from sls.sharing.queries import shares
from tests.conftest import NOW, by, password, person, press

RIGHTS = ("work_reviewcase", "decide_reviewcase")


def wait_for_approval(
    requester="requester", owner="other_entity", *, now=NOW, note=""
) -> ShareRequest:
    """A share between two entities of one person, which is held for two reviewers."""
    share = sharing.start(
        by=by(requester),
        owner_username=person(owner).username,
        owner_password=password(owner),
        now=now,
    )
    share = shares().get(pk=share.pk)
    sharing.answer(
        share, response=press(owner, share.challenge.question), by=by(requester), now=now
    )
    completion.submit(shares().get(pk=share.pk), note=note, by=by(requester), now=now)
    share = shares().get(pk=share.pk)
    assert share.state == "pending", share.reasons
    return share


def entitle(plays: str, *rights: str) -> None:
    user = person(plays)
    user.user_permissions.add(
        *Permission.objects.filter(content_type__app_label="compliance", codename__in=rights)
    )


def at_desk(plays: str, **more) -> Caller:
    """The officer in a session that has proven his own device."""
    caller = by(plays)
    grant = DeviceGrant.objects.filter(user=caller.user, confirmed=True).first()
    return replace(caller, proven_grant=grant.pk if grant else None, **more)


def digest(share: ShareRequest, now=NOW) -> str:
    case = queries.case_of(share.pk, now=now)
    assert case is not None
    return case.evidence.digest


def act(step, share, plays, verdict=Verdict.APPROVE, *, now=NOW, **more):
    """Recommend or decide with all that a form would send."""
    reason = "same_person" if verdict == Verdict.APPROVE else "identity_unclear"
    seen = more.pop("seen", None) or digest(share, now)
    said = Judgement(verdict, reason, "Looked at everything.", seen)
    return step(share.pk, said, **{"by": at_desk(plays), "now": now} | more)


def recommend(share, plays="officer", verdict=Verdict.APPROVE, **more):
    return act(operations.recommend, share, plays, verdict, **more)


def decide(share, plays="second_officer", verdict=Verdict.APPROVE, **more):
    return act(operations.decide, share, plays, verdict, **more)


def refusal(call, *args, **kwargs) -> str:
    with pytest.raises(Refused) as refused:
        call(*args, **kwargs)
    return refused.value.code
