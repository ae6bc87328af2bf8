"""Which references name a posting already."""

from collections.abc import Iterable

from django.db import connection


def posted(partner_id: int, references: Iterable[str | None]) -> dict[tuple[str, str], bytes]:
    """Return the digests of what a partner's references posted, by kind and reference.

    One statement for thousands: the array is one parameter, where the ORM would write a thousand.
    """
    wanted = [reference for reference in references if reference is not None]
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT kind, reference, digest FROM ledger_transaction"
            " WHERE partner_id = %s AND reference = ANY (%s)",
            [partner_id, wanted],
        )
        return {(kind, ref): bytes(digest or b"") for kind, ref, digest in cursor.fetchall()}
