"""The tables of the ledger: the books, what is settled with partners, and what finance keeps."""

from ledger.models.books import (
    Account,
    Book,
    Entry,
    LiabilityReport,
    LockedLot,
    Lot,
    MemberPoints,
    PointLock,
    PointType,
    PointValue,
    Transaction,
    reference_to,
)
from ledger.models.finance import ExpiryNotice, JournalAccount
from ledger.models.settlement import Movement, Statement, StatementLine

__all__ = [
    "Account",
    "Book",
    "Entry",
    "ExpiryNotice",
    "JournalAccount",
    "LiabilityReport",
    "LockedLot",
    "Lot",
    "MemberPoints",
    "Movement",
    "PointLock",
    "PointType",
    "PointValue",
    "Statement",
    "StatementLine",
    "Transaction",
    "reference_to",
]
