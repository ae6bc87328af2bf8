from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.hashers import make_password
from django.db import transaction

from loyalty.secret import Secret
from members.models import Credential, Member, RedemptionThreshold
from members.services import passwords, pins

PASSWORD = "correct horse battery"


def with_password(member: Member, password: str = PASSWORD, **changes: Any) -> Member:
    """Give a member a password, as the product keeps it."""
    with transaction.atomic():
        passwords.store(member, Secret(password), at=datetime.now(UTC))
    if changes:
        Credential.objects.filter(pk=member.pk).update(**changes)
    return member


def hash_of_old_make(password: str = PASSWORD) -> str:
    """Return a hash by a hasher that is still read, and no longer the preferred one."""
    return make_password(password, hasher="pbkdf2_sha256")


PIN = "2580"


def with_pin(member: Member, pin: str = PIN) -> Member:
    """Give a member a PIN, as the product keeps it."""
    with transaction.atomic():
        pins.store(member, Secret(pin), at=datetime.now(UTC))
    return member


def limits(
    member: Member, per_transaction: str | None = None, per_day: str | None = None
) -> RedemptionThreshold:
    """Set above what a member's redemptions need a PIN."""
    return RedemptionThreshold.objects.update_or_create(
        member=member,
        defaults={
            "per_transaction": per_transaction,
            "per_day": per_day,
            "set_at": datetime.now(UTC),
        },
    )[0]
