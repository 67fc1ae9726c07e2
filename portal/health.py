"""Can this process serve requests?"""

from django.db import DatabaseError

from portal.models import Entity
from portal.vault import VaultError, sealed_field


def is_ready() -> bool:
    """The database answers, and we hold the keys of what is sealed in it."""
    try:
        entity = Entity.objects.exclude(document_number_sealed="").first()
        if entity is not None:
            sealed_field(entity, "document_number_sealed").open_from(entity)
    except (DatabaseError, VaultError):
        return False
    return True
