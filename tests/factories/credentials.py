from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.hashers import make_password
from django.db import transaction

from loyalty.secret import Secret
from members.models import Credential, Member
from members.services import passwords

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
