"""Indexes for the auditors' filters, the right to export, and no TRUNCATE either (SQLite has no such statement)."""

from django.db import migrations, models

CREATE = """CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON portal_auditevent
            FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()"""
DROP = "DROP TRIGGER audit_no_truncate ON portal_auditevent"


def create(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(CREATE)


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(DROP)


def index(*fields, name):
    return migrations.AddIndex("auditevent", models.Index(fields=list(fields), name=name))


class Migration(migrations.Migration):
    dependencies = [("portal", "0006_lock_users_and_wait")]
    operations = [
        migrations.AlterModelOptions(
            "auditevent",
            {
                "ordering": ["number"],
                "permissions": [("export_auditevent", "Can export audit events")],
                "verbose_name": "audit event",
                "verbose_name_plural": "audit events",
            },
        ),
        index("event", "-number", name="history_of_an_event"),
        index("request_id", name="rows_of_a_request"),
        index("at", name="rows_of_a_time"),
        migrations.RunPython(create, drop),
    ]
