"""What the books hold of a sale, and taking a part of it back."""

from collections.abc import Iterable, Mapping

from ledger.errors import ReversalRefused
from ledger.kernel.book import Transaction
from ledger.kernel.reversals import Family, charge, take_back_of
from ledger.models import PointType
from ledger.models import Transaction as TransactionRow
from ledger.queries.configuration import Configuration
from ledger.services.families import families_of, lots_of_sale
from ledger.services.posting import LockedBook
from ledger.services.reversal import Shortfall

# A promotion version and a point type: what a lot was given for.
Gift = tuple[int, int]


def take_of_sale(
    book: LockedBook,
    transaction: Transaction,
    original: TransactionRow,
    wanted: Mapping[Gift, int],
    settings: Configuration,
) -> tuple[list[Shortfall], dict[str, int]]:
    """Take points back from the lots that gave them, the latest first; a step on a begun posting.

    What was spent of them is treated by the point type's debt policy; what expired is not taken.
    Returns the shortfall, and what was forgiven by lot.

    :raises ReversalRefused: if points were spent and their type's policy is REFUSE.
    """
    if not any(wanted.values()):
        return [], {}
    families = list(reversed(families_of(book, lots_of_sale(original))))
    shortfalls: dict[tuple[int, str], int] = {}
    forgiven: dict[str, int] = {}
    for gift, points in wanted.items():
        mine = [each for each in families if _gift(each) == gift]
        missing = _take_left(book, transaction, mine, points)
        for family in mine:
            share = min(missing, family.spent.takeable)
            if share <= 0:
                continue
            missing -= share
            treated = _treat(book, transaction, family, share, settings, forgiven)
            key = (family.root.point_type, treated)
            shortfalls[key] = shortfalls.get(key, 0) + share
    return [Shortfall(kind, n, treated) for (kind, treated), n in shortfalls.items()], forgiven


def _gift(family: Family) -> Gift:
    return (family.root.promotion_version or 0, family.root.point_type)


def _take_left(
    book: LockedBook, transaction: Transaction, families: Iterable[Family], points: int
) -> int:
    """Take what the lots still have; return how many points they no longer had."""
    for family in families:
        points = take_back_of(book.book, transaction, family, points)
    return points


def _treat(
    book: LockedBook,
    transaction: Transaction,
    family: Family,
    points: int,
    settings: Configuration,
    forgiven: dict[str, int],
) -> str:
    policy = settings.point_types[family.root.point_type].debt_policy
    if policy == PointType.DebtPolicy.REFUSE:
        raise ReversalRefused(points=points)
    if policy == PointType.DebtPolicy.DEBT:
        charge(book.book, transaction, family.root, points)
        return "DEBT"
    forgiven[str(family.root.id)] = forgiven.get(str(family.root.id), 0) + points
    return "FORGIVEN"
