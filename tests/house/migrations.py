"""
What a migration may not do in the release that still runs beside the one before it: docs/operations.md, Upgrade.

While new processes start, old ones go on reading and writing the same tables. So a release only adds (expand); what
is no longer used goes in a later one, when nothing reads it any more (contract).
"""

from collections.abc import Iterator

from django.db import migrations
from django.db.migrations.operations.base import Operation
from django.db.models import NOT_PROVIDED

TAKES_AWAY = (
    migrations.RemoveField,
    migrations.RenameField,
    migrations.DeleteModel,
    migrations.RenameModel,
    migrations.AlterModelTable,
)
CONTRACT = (
    "is_contract"  # an attribute of a Migration whose columns no running release uses any more
)


def objections(migration: migrations.Migration) -> Iterator[str]:
    """Why old processes would fail beside this migration; nothing when it may run before they stop."""
    if getattr(migration, CONTRACT, False):
        return
    for operation in migration.operations:
        for why in _objections(operation):
            yield f"{migration.app_label}.{migration.name}: {why}"


def _objections(operation: Operation) -> Iterator[str]:
    if isinstance(operation, TAKES_AWAY):
        yield f"{type(operation).__name__} takes away what old processes use"
    if isinstance(operation, migrations.AddField):
        field = operation.field
        is_filled = field.null or field.many_to_many or field.db_default is not NOT_PROVIDED
        if not is_filled:
            yield f"old processes insert rows without {operation.name}: give it null or db_default"
    if isinstance(operation, migrations.SeparateDatabaseAndState):
        for inner in operation.database_operations:
            yield from _objections(inner)
