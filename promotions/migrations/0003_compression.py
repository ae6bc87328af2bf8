from django.db import migrations

# Inputs and results are read whole and often: lz4 unpacks them several times faster than pglz.
# A server built without lz4 keeps its default.
COMPRESS = """
DO $$ BEGIN
    ALTER TABLE promotions_evaluation
        ALTER COLUMN inputs SET COMPRESSION lz4, ALTER COLUMN result SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    RAISE NOTICE 'this server has no lz4: evaluations are compressed by its default';
END $$;
"""
DEFAULT = """
ALTER TABLE promotions_evaluation
    ALTER COLUMN inputs SET COMPRESSION default, ALTER COLUMN result SET COMPRESSION default;
"""


class Migration(migrations.Migration):
    dependencies = [("promotions", "0002_functions")]

    operations = [migrations.RunSQL(COMPRESS, DEFAULT)]
