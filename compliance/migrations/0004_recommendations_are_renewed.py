"""A recommendation that no longer counts is made anew, and the evidence of each is kept."""

from importlib import import_module

from django.db import migrations, models

SQLITE = import_module("compliance.migrations.0002_decided_is_final").SQLITE


def create_again(apps, schema_editor):
    """For one constraint more or less SQLite has built the table anew, which drops its triggers."""
    if schema_editor.connection.vendor == "sqlite":
        for statement in SQLITE:
            if "TRIGGER evidence" in statement:
                schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("compliance", "0003_queue_indexes")]
    operations = [
        migrations.RunPython(migrations.RunPython.noop, create_again),
        migrations.RemoveConstraint("evidenceseen", "one_evidence_per_step"),
        migrations.AddConstraint(
            "evidenceseen",
            models.UniqueConstraint(
                fields=["case"], condition=models.Q(step="decision"), name="one_decision_per_case"
            ),
        ),
        migrations.RunPython(create_again, migrations.RunPython.noop),
    ]
