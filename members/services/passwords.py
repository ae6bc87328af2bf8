"""Passwords: what is accepted, how they are kept, and how they are compared."""

import unicodedata
from datetime import datetime

from django.contrib.auth.hashers import make_password, verify_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import connection

from loyalty.secret import Secret
from members.models import Credential, Member
from members.sign_in_errors import PasswordRefused

FORMER_KEPT = 3  # Beside the one in use: these do not come back.


def verified(password: Secret, encoded: str) -> tuple[bool, bool]:
    """Return whether a password is the one that was kept, and whether its hash is of old make.

    Without a kept one (the empty text) the same work is done, and the answer is no.
    """
    return verify_password(_composed(password), encoded)


def hashed(password: Secret) -> str:
    """Return the argon2 hash under which a password is kept."""
    return make_password(_composed(password))


def _composed(password: Secret) -> str:
    """Return the text in one Unicode form: keyboards compose an ö in two ways."""
    return unicodedata.normalize("NFC", password.reveal())


def check_policy(password: Secret, member: Member) -> None:
    """Refuse a password that is too short, too common, or like the member's own data.

    :raises PasswordRefused: with a code and a sentence for each reason.
    """
    try:
        validate_password(_composed(password), user=member)  # type: ignore[arg-type] # any object
    except ValidationError as error:
        raise PasswordRefused(
            [(each.code or "invalid", each.messages[0]) for each in error.error_list]
        ) from None


def store(member: Member, password: Secret, *, at: datetime) -> None:
    """Keep a member's new password; a step. The first one, or with proof made before.

    :raises PasswordRefused: by the policy, or if it is the one in use or one of the last three.
    """
    assert connection.in_atomic_block
    check_policy(password, member)
    credential, _ = Credential.objects.select_for_update().get_or_create(member=member)
    former = [each for each in (credential.password, *credential.former_passwords) if each]
    if any(verified(password, each)[0] for each in former):
        message = "This password was used before. Choose another."
        raise PasswordRefused([("password_reused", message)])
    credential.former_passwords = former[:FORMER_KEPT]
    credential.password, credential.password_set_at = hashed(password), at
    credential.must_change_password = False
    credential.save(
        update_fields=[
            "former_passwords",
            "password",
            "password_set_at",
            "must_change_password",
        ]
    )
