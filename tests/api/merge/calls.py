"""How the tests merge and unmerge, and read where a member stands."""

from tests.factories.ledger import balance


def ask(house, old, kept, **more):
    body = {"from": {"number": old.number}, "into": {"number": kept.number}, "reason": "One."}
    return house.post("/members/merge/", {**body, **more})


def merge(house, old, kept):
    answer = ask(house, old, kept)
    assert answer.status_code == 200, answer.json()
    return answer.json()


def unmerge(house, old):
    return house.post("/members/unmerge/", {"number": old.number, "reason": "Two after all."})


def row(available=0, pending=0, locked=0, debt=0):
    states = {"available": available, "pending": pending, "locked": locked, "debt": debt}
    return {"type": "PTS", **states}


def figures(member, at=None):
    account = balance(member, at=at)
    return account.available, account.pending, account.locked, account.debt


def spend(till, member, points, reference, now, **more):
    body = {
        "member": {"number": member.number},
        "reference": reference,
        "occurred_at": now.isoformat(),
        "type": "PTS",
        "points": points,
    }
    return till.post("/transactions/redeem/", {**body, **more})


def undo(till, path, reference, original, now, **more):
    body = {"original": {"reference": original}, "reference": reference}
    return till.post(f"/transactions/{path}/", {**body, "occurred_at": now.isoformat(), **more})


def hold(till, member, points, reference):
    body = {"member": {"number": member.number}, "type": "PTS", "points": points}
    return till.post("/transactions/lock/", {**body, "reference": reference}).json()["lock"]
