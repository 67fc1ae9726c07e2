"""
The database itself keeps review policies as they were scheduled, and those that have started for good.

Only the end of a policy may change, between "until further notice" and a time to come; only a policy that
has not started may be deleted. On SQLite a migration that alters this table builds it anew and loses the
triggers: it must create them again.
"""

from django.db import migrations, models
from django.db.models import Q

TABLE = "sls_reviewpolicy"
CHANGED = "review policies are never changed"
DELETED = "a review policy that has started is never deleted"
COLUMNS = ("id", "rules", "starts_at", "made_by_id", "made_at", "note")

SQLITE_NOW = "strftime('%Y-%m-%d %H:%M:%f', 'now')"
SQLITE = [
    f"""CREATE TRIGGER policy_no_update BEFORE UPDATE ON {TABLE}
        WHEN {" OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in COLUMNS)}
          OR (OLD.ends_at IS NULL) = (NEW.ends_at IS NULL)
          OR coalesce(OLD.ends_at, NEW.ends_at) <= {SQLITE_NOW}
        BEGIN SELECT RAISE(ABORT, '{CHANGED}'); END""",
    f"""CREATE TRIGGER policy_no_delete BEFORE DELETE ON {TABLE}
        WHEN OLD.starts_at <= {SQLITE_NOW}
        BEGIN SELECT RAISE(ABORT, '{DELETED}'); END""",
]
POSTGRESQL = [
    f"""CREATE FUNCTION policy_stays() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF TG_OP = 'DELETE' THEN
            IF OLD.starts_at <= clock_timestamp() THEN RAISE EXCEPTION '{DELETED}'; END IF;
            RETURN OLD;
          END IF;
          IF {" OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in COLUMNS)}
             OR (OLD.ends_at IS NULL) = (NEW.ends_at IS NULL)
             OR coalesce(OLD.ends_at, NEW.ends_at) <= clock_timestamp()
          THEN RAISE EXCEPTION '{CHANGED}'; END IF;
          RETURN NEW;
        END $$""",
    f"""CREATE TRIGGER policy_stays BEFORE UPDATE OR DELETE ON {TABLE}
        FOR EACH ROW EXECUTE FUNCTION policy_stays()""",
]
UNDO = {
    "sqlite": ["DROP TRIGGER policy_no_update", "DROP TRIGGER policy_no_delete"],
    "postgresql": [f"DROP TRIGGER policy_stays ON {TABLE}", "DROP FUNCTION policy_stays()"],
}


def create(apps, schema_editor):
    statements = SQLITE if schema_editor.connection.vendor == "sqlite" else POSTGRESQL
    for statement in statements:
        schema_editor.execute(statement)


def drop(apps, schema_editor):
    for statement in UNDO[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("sls", "0013_queue_by_reason")]
    operations = [
        migrations.AddIndex(
            model_name="sharerequest",
            index=models.Index(
                condition=Q(("submitted_at__isnull", False)),
                fields=["-submitted_at"],
                name="submitted_shares",
            ),
        ),
        migrations.RunPython(create, drop),
    ]
