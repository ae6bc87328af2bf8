"""Earning on many purchases in one commit: the road of files and of the demo.

It shares the engine, the checks and the kernel with Earn, and ends with the same ledger.
"""

from collections.abc import Mapping, Sequence

from ledger.kernel.book import Kind
from ledger.queries import references
from ledger.queries.configuration import configuration
from ledger.services import posting
from loyalty.services.use_case import use_case
from promotions.engine.basket import Product
from promotions.services import facts
from promotions.services.awarding import asked_of, recording
from promotions.services.budgets import Till
from promotions.services.earning import EarnRequest, post_earn
from promotions.services.facts import Known
from promotions.services.snapshot import snapshot_of
from promotions.services.tiers import standings, tiering


@use_case
def earn_many(
    requests: Sequence[EarnRequest],
    member_ids: Mapping[str, int],
    *,
    products: Mapping[str, Product],
) -> int:
    """Post purchases in the order given, each at its own `occurred_at`; return how many were new.

    `requests` are in the order of time and name members by card; `member_ids` says whose each
    card is. References that are known already are passed over. Few statements in all: which
    references are known, the books in key order, where their members stand, and the write; one
    more where promotions ask for facts of members, and one for each purchase that claims from a
    budget.
    """
    known = _known(requests)
    wanted = [each for each in requests if (each.partner_id, each.reference) not in known]
    if not wanted:
        return 0
    last = wanted[-1].basket.occurred_at
    owners = [member_ids[request.member["card"]] for request in wanted]
    books = posting.lock_many(owners, at=last)
    settings = configuration(next(iter(books.values())).epoch)
    snapshot = snapshot_of(settings)
    asked = asked_of(settings, snapshot, {request.basket.occurred_at for request in wanted})
    members = facts.read_many(owners, asked, at=last) if asked else {}
    days = [tiering.local_day(request.basket.occurred_at, settings) for request in wanted]
    ladder = standings.standings_of(books.values(), settings, first_day=min(days))
    till, records = Till(), []
    for request, owner in zip(wanted, owners, strict=True):
        book = books[owner]
        at = request.basket.occurred_at
        book.book.open_at(at)
        _, _, record = post_earn(
            book,
            ladder[owner],
            request,
            at=at,
            products=products,
            known=members.setdefault(owner, Known.nothing()),
            purse=till,
        )
        records.append(record)
    records += standings.records_of(ladder.values())
    alongside = [*recording(records, till), *standings.record_of(ladder.values())]
    posting.write_many(books.values(), alongside=alongside)
    return len(wanted)


def _known(requests: Sequence[EarnRequest]) -> set[tuple[int, str]]:
    """Return which partners' references are posted: a query for each partner."""
    sent: dict[int, list[str]] = {}
    for each in requests:
        sent.setdefault(each.partner_id, []).append(each.reference)
    return {
        (partner, reference)
        for partner, names in sent.items()
        for kind, reference in references.posted(partner, names)
        if kind == Kind.EARN
    }
