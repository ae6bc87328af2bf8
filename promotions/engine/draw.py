"""The draw of a sweepstake: who wins follows from a seed and a list, and from nothing else.

`promotions/verify_draw.py` says the same once more, for those who do not trust us.
"""

import hashlib
import hmac
from collections.abc import Iterable, Sequence

ALGORITHM = "hmac-sha256/1"
LIST_HEADER = "ticket,pseudonym\n"
_SPAN = 2**256


def commitment_of(seed: bytes) -> str:
    """Return what is published of a seed before there are tickets."""
    return hashlib.sha256(seed).hexdigest()


def line_of(number: int, pseudonym: str) -> str:
    """Return a ticket as it stands in the list."""
    return f"{number},{pseudonym}\n"


def digest_of_list(tickets: Iterable[tuple[int, str]]) -> str:
    """Return the SHA-256 of a list of tickets, by number, byte for byte as it is published."""
    digest = hashlib.sha256(LIST_HEADER.encode())
    for number, pseudonym in tickets:
        digest.update(line_of(number, pseudonym).encode())
    return digest.hexdigest()


def pseudonym_of(key: bytes, member_id: int) -> str:
    """Return what stands for a member in one sweepstake's list; without the key it says nothing."""
    return hmac.digest(key, str(member_id).encode(), "sha256").hex()[:32]


def winners(
    seed: bytes, list_digest: str, pseudonyms: Sequence[str], prizes: int, *, one_each: bool
) -> list[int]:
    """Return the places in the list of the tickets that win, by position of the prize.

    For prize p and attempt a = 0, 1, … the number HMAC-SHA256(seed, "digest|p|a") picks the ticket
    number mod n. One from the uneven rest of 2^256, a ticket that has won, and with `one_each` a
    ticket of somebody who has won, are passed over. Fewer than there are prizes if nobody is left.
    """
    count, won, happy = len(pseudonyms), dict[int, None](), set[str]()
    rest = len(set(pseudonyms)) if one_each else count
    for position in range(1, min(prizes, rest) + 1):
        attempt = 0
        while True:
            place = _pick(seed, f"{list_digest}|{position}|{attempt}", count)
            attempt += 1
            if place is None or place in won or (one_each and pseudonyms[place] in happy):
                continue
            won[place] = None
            happy.add(pseudonyms[place])
            break
    return list(won)


def _pick(seed: bytes, message: str, count: int) -> int | None:
    number = int.from_bytes(hmac.digest(seed, message.encode(), "sha256"))
    return number % count if number < _SPAN - _SPAN % count else None
