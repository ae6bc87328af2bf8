"""What happens to vouchers by themselves: they expire, and holds end. Reads know it at once."""

from datetime import datetime
from typing import Any

from django.db import connection

from loyalty.services.use_case import use_case

CHUNK = 5_000

# Replaces a save and an outbox row per voucher. Rows that a till holds at this moment are left.
_EXPIRE = """
WITH over AS (
    SELECT id FROM vouchers_voucher
    WHERE status IN ('ISSUED', 'RESERVED') AND expires_at <= %(at)s
      AND (status = 'ISSUED' OR reserved_until <= %(at)s)
    ORDER BY id LIMIT %(most)s FOR UPDATE SKIP LOCKED
), expired AS (
    UPDATE vouchers_voucher v SET status = 'EXPIRED', reserved_until = NULL
    FROM over WHERE v.id = over.id
    RETURNING v.id, v.member_id, v.partner_id
), told AS (
    INSERT INTO loyalty_outboxevent (type, member_id, partner_id, object_id, created_at)
    SELECT 'voucher.expired', member_id, partner_id, id, %(at)s FROM expired
)
SELECT count(*) FROM expired
"""
_FREE = """
WITH over AS (
    SELECT id FROM vouchers_voucher WHERE status = 'RESERVED' AND reserved_until <= %(at)s
    ORDER BY id LIMIT %(most)s FOR UPDATE SKIP LOCKED
), ended AS (
    UPDATE vouchers_voucheruse u SET state = 'RELEASED', ended_at = u.until
    FROM over WHERE u.voucher_id = over.id AND u.state = 'RESERVED' AND u.until <= %(at)s
), freed AS (
    UPDATE vouchers_voucher v SET status = 'ISSUED', reserved_until = NULL
    FROM over WHERE v.id = over.id
    RETURNING v.id
)
SELECT count(*) FROM freed
"""


@use_case
def settle_chunk(*, at: datetime, at_most: int = CHUNK) -> tuple[int, int]:
    """Expire vouchers and end holds that are due; return how many of each. Safe to repeat."""
    arguments: dict[str, Any] = {"at": at, "most": at_most}
    with connection.cursor() as cursor:
        cursor.execute(_FREE, arguments)
        freed = cursor.fetchone()[0]
        cursor.execute(_EXPIRE, arguments)
        return cursor.fetchone()[0], freed
