"""How partners meet members in what is settled with them: as the same stranger each time."""

import base64
import hashlib
import hmac

from django.conf import settings

from loyalty.sealing import key_for

_CHARACTERS = 16  # Of base32: 80 bits, so that two members of a programme never share one.


def pseudonym(partner_id: int, member_id: int) -> str:
    """Return the name by which a partner knows a member: stable, and of no use to another partner.

    The key is the last of `SEALING_KEYS`, which stays when a new one is put in front.
    """
    key = key_for("partners.pseudonym", settings.SEALING_KEYS[-1])
    digest = hmac.new(key, f"{partner_id}:{member_id}".encode(), hashlib.sha256).digest()
    return base64.b32encode(digest).decode()[:_CHARACTERS]
