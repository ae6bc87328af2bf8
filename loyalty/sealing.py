"""Sealing: what must be read again, but not by who gets hold of the database.

Fernet with keys derived from the setting `SEALING_KEYS`, one per purpose. The first key seals, all
of them open: a new one is put in front.
"""

import base64
import hashlib
from functools import cache

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings


def seal(text: str, *, purpose: str) -> bytes:
    """Return a text as it is kept."""
    return _box(purpose, tuple(settings.SEALING_KEYS)).encrypt(text.encode())


def unseal(sealed: bytes | memoryview, *, purpose: str) -> str:
    """Return what was sealed for this purpose."""
    return _box(purpose, tuple(settings.SEALING_KEYS)).decrypt(bytes(sealed)).decode()


def key_for(purpose: str, secret: str) -> bytes:
    """Return 32 bytes for one purpose, derived from a secret of the settings."""
    return hashlib.sha256(f"laurel.{purpose}.{secret}".encode()).digest()


@cache
def _box(purpose: str, secrets: tuple[str, ...]) -> MultiFernet:
    keys = (key_for(f"seal.{purpose}", each) for each in secrets)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys])
