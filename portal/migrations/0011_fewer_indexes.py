"""
Indexes that nothing asks: those of user ids stand at the head of another one, and those for LIKE, which Django
makes on PostgreSQL beside each unique text, cost every login and every audit row a place more.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

FOR_LIKE = """
    SELECT indexrelid::regclass::text FROM pg_index
    WHERE indrelid = ANY (ARRAY['portal_auditevent', 'portal_browsersession', 'portal_outboxmessage']::regclass[])
    AND EXISTS (
        SELECT FROM pg_opclass WHERE oid = ANY (indclass::oid[]) AND opcname = 'varchar_pattern_ops'
    )
"""


def drop_for_like(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(FOR_LIKE)
        for (name,) in cursor.fetchall():
            cursor.execute(f"DROP INDEX {name}")


class Migration(migrations.Migration):
    dependencies = [("portal", "0010_dashboard_indexes")]

    operations = [
        migrations.AlterField(
            model_name="browsersession",
            name="user",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="sessions",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.RunPython(drop_for_like, migrations.RunPython.noop),
    ]
