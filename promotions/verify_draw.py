#!/usr/bin/env python3
"""Check the draw of a sweepstake. Needs Python 3.9 or newer, and nothing of Laurel.

    python3 verify_draw.py draw.json tickets.csv [commitment]

draw.json is what GET /sweepstakes/{code}/draw/ answers, tickets.csv what
GET /sweepstakes/{code}/draw/tickets/ answers, byte for byte. `commitment` is the one that you
noted while the sweepstake was open; without it, the one in draw.json is believed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import pathlib
import sys
from collections.abc import Iterator
from typing import Any


def check(draw: dict[str, Any], raw_list: bytes, noted: str | None = None) -> list[str]:
    """Return what is wrong with a draw, as sentences; nothing if it is right."""
    faults = []
    seed = bytes.fromhex(draw["seed"])
    commitment = hashlib.sha256(seed).hexdigest()
    if commitment != draw["commitment"]:
        faults.append("The seed is not the one that was committed to.")
    if noted is not None and noted != commitment:
        faults.append("The commitment is not the one that you noted.")
    digest = hashlib.sha256(raw_list).hexdigest()
    if digest != draw["list_digest"]:
        faults.append("The list of tickets is not the one that was drawn from.")
    header, *lines = raw_list.decode("ascii").splitlines()
    tickets = [line.split(",") for line in lines]
    numbers = [int(number) for number, _ in tickets]
    if header != "ticket,pseudonym" or numbers != sorted(set(numbers)):
        faults.append("The list of tickets is not in order.")
    if draw["tickets"] != len(tickets):
        faults.append("The list has another number of tickets.")
    if draw["algorithm"] != "hmac-sha256/1":
        return [*faults, "This script does not know the algorithm."]
    wanted = [(prize["position"], prize["ticket"], prize["pseudonym"]) for prize in draw["winners"]]
    found = list(winners(seed, digest, tickets, draw["prizes"], draw["one_prize_each"]))
    if found != wanted:
        faults.append("The winners are others: " + json.dumps(found))
    return faults


def winners(
    seed: bytes, digest: str, tickets: list[list[str]], prizes: int, one_prize_each: bool
) -> Iterator[tuple[int, int, str]]:
    """Yield position, ticket and pseudonym of each prize, as the seed and the list have it."""
    count = len(tickets)
    owners = {pseudonym for _, pseudonym in tickets}
    won: set[str] = set()
    happy: set[str] = set()
    for position in range(1, prizes + 1):
        if len(won) == (len(owners) if one_prize_each else count):
            return
        attempt = 0
        while True:
            message = f"{digest}|{position}|{attempt}".encode()
            value = int.from_bytes(hmac.new(seed, message, hashlib.sha256).digest(), "big")
            attempt += 1
            if value >= 2**256 - 2**256 % count:
                continue
            number, pseudonym = tickets[value % count]
            if number in won or (one_prize_each and pseudonym in happy):
                continue
            won.add(number)
            happy.add(pseudonym)
            yield position, int(number), pseudonym
            break


def main(arguments: list[str]) -> int:
    """Check the files that are named; return 0 if the draw is right."""
    if len(arguments) not in (2, 3):
        sys.stderr.write(__doc__ or "")
        return 2
    draw = json.loads(pathlib.Path(arguments[0]).read_text(encoding="utf-8"))
    if "seed" not in draw:
        sys.stdout.write("This is no draw: " + str(draw.get("detail", "there is no seed")) + "\n")
        return 1
    faults = check(draw, pathlib.Path(arguments[1]).read_bytes(), *arguments[2:])
    right = f"The draw is right: {len(draw['winners'])} winners of {draw['tickets']} tickets."
    sys.stdout.write("\n".join(faults or [right]) + "\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
