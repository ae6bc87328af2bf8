from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from loyalty.models import Currency, CurrencyRate
from loyalty.services import epoch

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def rate(code: str, value: str, *, since: datetime = LONG_AGO, until: Any = None) -> CurrencyRate:
    """A rate of a currency in the programme's, in force for years."""
    with transaction.atomic():
        currency, _ = Currency.objects.get_or_create(code=code, defaults={"name": code})
        made = CurrencyRate.objects.create(
            currency=currency, rate=value, valid_from=since, valid_to=until
        )
        epoch.bump()
    return made
