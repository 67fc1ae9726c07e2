"""An upgrade never breaks the processes that still run: docs/operations.md, Upgrade."""

import pytest
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader

from tests.house.migrations import objections

OURS = ("portal", "sls", "compliance")
# The number of the newest migration of each app in the last release; later ones must keep the rule. There has
# been no release yet: at the first one, write its numbers here.
RELEASED: dict[str, int] = {}


def migration(*operations, **attributes):
    made = migrations.Migration("0099_it", "sls")
    made.operations = list(operations)
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    "operation",
    [
        migrations.RemoveField("phone", "name"),
        migrations.RenameField("phone", "name", "label"),
        migrations.DeleteModel("Phone"),
        migrations.RenameModel("Phone", "Handset"),
        migrations.AddField("phone", "colour", models.CharField(max_length=9, default="")),
        migrations.SeparateDatabaseAndState([migrations.RemoveField("phone", "name")]),
    ],
    ids=lambda operation: operation.describe(),
)
def test_what_breaks_old_processes_is_refused(operation):
    assert list(objections(migration(operation)))
    assert not list(objections(migration(operation, is_contract=True)))


@pytest.mark.parametrize(
    "operation",
    [
        migrations.AddField("phone", "colour", models.CharField(max_length=9, null=True)),
        migrations.AddField("phone", "colour", models.CharField(max_length=9, db_default="")),
        migrations.AddIndex("phone", models.Index(fields=["name"], name="phones_by_name")),
        migrations.CreateModel("Colour", [("id", models.BigAutoField(primary_key=True))]),
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.RemoveField("phone", "name")]
        ),
    ],
    ids=lambda operation: operation.describe(),
)
def test_what_only_adds_is_allowed(operation):
    assert list(objections(migration(operation))) == []


def test_no_migration_since_the_last_release_breaks_old_processes():
    loader = MigrationLoader(None)
    newer = [
        found
        for (app, name), found in loader.disk_migrations.items()
        if app in OURS and int(name[:4]) > RELEASED.get(app, 9999)
    ]
    assert [why for found in newer for why in objections(found)] == []


def test_every_migration_has_a_number_of_its_own():
    """Two branches that took the same number would both be leaves."""
    loader = MigrationLoader(None)
    numbers = [(app, name[:4]) for app, name in loader.disk_migrations if app in OURS]
    assert len(numbers) == len(set(numbers))
