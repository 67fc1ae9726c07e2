"""Bring every sealed value to the newest key."""

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db import models, transaction

from portal import vault
from portal.models import Entity

BATCH = 500


class Command(BaseCommand):
    help = "Seals every stored secret anew with the first key of VAULT_KEYS. Safe to run again."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.rotate_all()
        except vault.VaultError as error:
            words = "Put the key with which it was sealed back into VAULT_KEYS, behind the newest; then run this again."
            raise CommandError(f"{error}. {words}") from error

    def rotate_all(self) -> None:
        for model in apps.get_models():
            fields = [f for f in model._meta.concrete_fields if isinstance(f, vault.SealedField)]
            if fields:
                count = sum(rotate(model, field) for field in fields)
                self.stdout.write(f"{model._meta.label}: {count}")
        self.stdout.write(f"indexes: {reindex()}")


def rotate(model: type[models.Model], field: vault.SealedField) -> int:
    """Re-seal the rows whose token has an older key, in batches; how many."""
    newest = f"{vault.VERSION}.{vault.newest_key_id()}."
    stale = model._base_manager.exclude(**{field.attname: ""}).exclude(
        **{f"{field.attname}__startswith": newest}
    )
    count = 0
    while rows := list(stale.order_by("pk")[:BATCH]):
        with transaction.atomic():
            for row in rows:
                before = getattr(row, field.attname)
                field.seal_into(row, field.open_from(row))
                unchanged = model._base_manager.filter(pk=row.pk, **{field.attname: before})
                unchanged.update(**{field.attname: getattr(row, field.attname)})
        count += len(rows)
    return count


def reindex() -> int:
    """Compute anew the comparison indexes that were made with an older key; how many entities."""
    newest = f"{vault.newest_key_id()}:"
    count = 0
    for entity in Entity.objects.order_by("pk").iterator(chunk_size=BATCH):
        columns = {
            f"{name}_index": entity.number_index(name)
            for name in ("document_number", "ssn")
            if getattr(entity, f"{name}_index")
            and not getattr(entity, f"{name}_index").startswith(newest)
        }
        if columns:
            Entity.objects.filter(pk=entity.pk).update(**columns)
            count += 1
    return count
