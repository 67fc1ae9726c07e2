"""
The database itself keeps what was seen and what was decided.

Rows of evidence are never changed or deleted, cases never deleted, and decided ones never changed. On SQLite a
migration that alters one of these tables builds it anew and loses the triggers: it must create them again.
"""

from django.db import migrations

SEEN, CASE = "compliance_evidenceseen", "compliance_reviewcase"
SQLITE = [
    f"""CREATE TRIGGER evidence_no_update BEFORE UPDATE ON {SEEN}
       BEGIN SELECT RAISE(ABORT, 'evidence is never changed'); END""",
    f"""CREATE TRIGGER evidence_no_delete BEFORE DELETE ON {SEEN}
       BEGIN SELECT RAISE(ABORT, 'evidence is never deleted'); END""",
    f"""CREATE TRIGGER case_no_update BEFORE UPDATE ON {CASE} WHEN OLD.decided_at IS NOT NULL
       BEGIN SELECT RAISE(ABORT, 'a decided case is never changed'); END""",
    f"""CREATE TRIGGER case_no_delete BEFORE DELETE ON {CASE}
       BEGIN SELECT RAISE(ABORT, 'cases are never deleted'); END""",
]
POSTGRESQL = [
    """CREATE FUNCTION review_is_final() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'evidence and decided cases are never changed or deleted'; END $$""",
    f"""CREATE TRIGGER evidence_no_change BEFORE UPDATE OR DELETE ON {SEEN}
       FOR EACH ROW EXECUTE FUNCTION review_is_final()""",
    f"""CREATE TRIGGER case_no_update BEFORE UPDATE ON {CASE}
       FOR EACH ROW WHEN (OLD.decided_at IS NOT NULL) EXECUTE FUNCTION review_is_final()""",
    f"""CREATE TRIGGER case_no_delete BEFORE DELETE ON {CASE}
       FOR EACH ROW EXECUTE FUNCTION review_is_final()""",
]
UNDO = {
    "sqlite": [
        f"DROP TRIGGER {name}"
        for name in ("evidence_no_update", "evidence_no_delete", "case_no_update", "case_no_delete")
    ],
    "postgresql": [
        f"DROP TRIGGER evidence_no_change ON {SEEN}",
        f"DROP TRIGGER case_no_update ON {CASE}",
        f"DROP TRIGGER case_no_delete ON {CASE}",
        "DROP FUNCTION review_is_final()",
    ],
}


def create(apps, schema_editor):
    statements = SQLITE if schema_editor.connection.vendor == "sqlite" else POSTGRESQL
    for statement in statements:
        schema_editor.execute(statement)


def drop(apps, schema_editor):
    for statement in UNDO[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("compliance", "0001_review_cases")]
    operations = [migrations.RunPython(create, drop)]
