"""
One partial index for each reason of review, on PostgreSQL: a list of reasons has no order that an index could
keep. The demo's SQLite looks through what waits.
"""

from django.db import migrations

REASONS = [
    *("other_entity", "document_expired", "compliance_flag", "recently_refused"),
    *("new_shares", "recent_change", "several_entities"),
]


def add(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for code in REASONS:
            schema_editor.execute(
                f"CREATE INDEX pending_for_{code} ON sls_sharerequest (submitted_at, id)"
                f""" WHERE state = 'pending' AND reasons @> '["{code}"]'""",
                params=None,
            )


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for code in REASONS:
            schema_editor.execute(f"DROP INDEX pending_for_{code}")


class Migration(migrations.Migration):
    dependencies = [("sls", "0012_queue_indexes")]
    operations = [migrations.RunPython(add, drop)]
