"""Can this process serve requests?"""

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from portal import broker
from portal.models import Entity
from portal.vault import VaultError, sealed_field

_migrated: set[str] = set()  # databases known to have every migration of this process


def is_ready() -> bool:
    """
    The database answers and has our migrations, we hold the keys of what is sealed in it, and the broker
    answers (unless READY_WITHOUT_BROKER says that pages alone will do).
    """
    return (
        is_migrated()
        and opens_what_is_sealed()
        and (settings.READY_WITHOUT_BROKER or broker.answers())
    )


def is_migrated() -> bool:
    """Migrations do not go away, so the answer yes is kept."""
    name = str(connection.settings_dict["NAME"])
    if name in _migrated:
        return True
    try:
        if unapplied():
            return False
    except DatabaseError:
        return False
    _migrated.add(name)
    return True


def unapplied() -> list[str]:
    """Names of our migrations that the database has not got. Raises DatabaseError."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [str(migration) for migration, _backwards in plan]


def opens_what_is_sealed() -> bool:
    """One sealed value opens, if there is any; and so the database answers."""
    try:
        entity = Entity.objects.exclude(document_number_sealed="").first()
        if entity is not None:
            sealed_field(entity, "document_number_sealed").open_from(entity)
    except (DatabaseError, VaultError):
        return False
    return True
