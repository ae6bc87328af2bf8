from django.db import migrations


class Migration(migrations.Migration):
    """Nights that are under way go on in their new room, at the step where they stand."""

    dependencies = [("promotions", "0004_limits"), ("loyalty", "0001_initial")]

    operations = [
        migrations.RunSQL(
            """
            UPDATE loyalty_job SET
                kind = 'promotions.tasks.run_night',
                position = CASE jsonb_typeof(position)
                    WHEN 'number' THEN jsonb_build_object('step', 'settle', 'position', position)
                    WHEN 'string' THEN jsonb_build_object('step', 'audit', 'position', NULL)
                END
            WHERE kind = 'ledger.tasks.run_night' AND status IN ('PENDING', 'RUNNING')
            """,
            migrations.RunSQL.noop,
        )
    ]
