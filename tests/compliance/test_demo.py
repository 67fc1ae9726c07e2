"""The demo starts anew, whatever its cast did at the desk; the database's guards are awake again after it."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from sls.demo import operations
from sls.models import ReviewPolicy, ShareRequest
from tests.compliance.desk import wait_for_approval
from tests.conftest import NOW, person


@pytest.fixture
def _guard(db):
    """The triggers of the policies, which the tests' set-up takes away on SQLite."""
    migration = import_module("sls.migrations.0014_policies_stay_as_they_are")
    sqlite = connection.vendor == "sqlite"
    with connection.cursor() as cursor:
        for statement in migration.SQLITE if sqlite else []:
            cursor.execute(statement)
    yield
    with connection.cursor() as cursor:
        for statement in migration.UNDO["sqlite"] if sqlite else []:
            cursor.execute(statement)


def in_force() -> ReviewPolicy:
    return ReviewPolicy.objects.create(
        rules={"other_entity": {"threshold": 1, "holds": True, "reviewers": 2}},
        starts_at=timezone.now() - timedelta(days=365),
        made_by=person("officer"),
        made_at=NOW,
        note="By the cast.",
    )


@pytest.mark.usefixtures("on_stage", "_guard")
def test_policies_of_the_cast_are_forgotten_and_others_kept_from_deletion():
    policy = in_force()
    assert wait_for_approval().policy == policy

    operations.recreate(now=NOW)

    assert not ReviewPolicy.objects.exists()
    assert not ShareRequest.objects.exists()
    policy = in_force()
    with pytest.raises(DatabaseError, match="never deleted"), transaction.atomic():
        ReviewPolicy.objects.filter(pk=policy.pk).delete()
