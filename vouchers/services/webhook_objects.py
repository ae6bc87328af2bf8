"""What webhooks tell of vouchers."""

from ledger.queries.configuration import configuration
from loyalty.models import OutboxEvent, WebhookSubscription
from vouchers import codes
from vouchers.models import Voucher
from vouchers.shapes.vouchers import VoucherAnswer, voucher_answer


def voucher(event: OutboxEvent, subscription: WebhookSubscription) -> VoucherAnswer:
    """Return the voucher that an event tells of, its code masked."""
    assert event.object_id is not None
    row = Voucher.objects.select_related("voucher_type").get(pk=event.object_id)
    return voucher_answer(row, codes.masked(row.hint), event.created_at, configuration())
