"""How evaluations lie in the database."""

from django.db import connection


def test_evaluations_are_compressed_by_lz4_where_the_server_has_it(db):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 'lz4' = ANY (enumvals) FROM pg_settings"
            " WHERE name = 'default_toast_compression'"
        )
        [has_lz4] = cursor.fetchone()
        cursor.execute(
            "SELECT attname, attcompression FROM pg_attribute"
            " WHERE attrelid = 'promotions_evaluation'::regclass"
            " AND attname IN ('inputs', 'result') ORDER BY attname"
        )
        found = dict(cursor.fetchall())

    method = "l" if has_lz4 else ""
    assert found == {"inputs": method, "result": method}
