"""Voucher codes: unguessable, read aloud without mistakes, kept so that a leak opens none.

Sixteen characters of Crockford's alphabet are 80 random bits. A code is found by its HMAC; to be
shown to its member again it is kept sealed.
"""

import hashlib
import hmac
import secrets

from django.conf import settings

from loyalty import sealing

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
RANDOM_CHARACTERS = 16
_MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1"})


def make(prefix: str = "") -> str:
    """Return a new code: the prefix and sixteen random characters."""
    return prefix + "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_CHARACTERS))


def plain(code: str) -> str:
    """Return a code as it is hashed: capitals, without spaces and dashes, misreadings mended."""
    return "".join(code.upper().replace("-", "").split()).translate(_MISREAD)


def hash_of(code: str) -> bytes:
    """Return under what a code is found; the last of the keys, which stays, makes it."""
    key = sealing.key_for("voucher", settings.SEALING_KEYS[-1])
    return hmac.new(key, plain(code).encode(), hashlib.sha256).digest()


def seal(code: str) -> bytes:
    """Return a code, or an answer that names codes, as it is kept."""
    return sealing.seal(code, purpose="voucher")


def unseal(sealed: bytes | memoryview) -> str:
    """Return what was sealed, to be shown to whose it is."""
    return sealing.unseal(sealed, purpose="voucher")


def masked(hint: str) -> str:
    """Return a code as those see it who may not use it."""
    return f"…{hint}"
