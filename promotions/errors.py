"""Every refusal of promotions."""

from loyalty.errors import Refused


class TendersMismatch(Refused):
    """The tenders do not sum to what the lines cost after discounts."""

    code = "TENDERS_MISMATCH"
    title = "Tenders and lines differ"

    def __init__(self, *, tenders: str, lines: str) -> None:
        super().__init__(
            f"The tenders sum to {tenders}, the lines after discounts to {lines}.",
            tenders=tenders,
            lines=lines,
        )


class CurrencyHasNoRate(Refused):
    """The basket is in a currency that the programme has no rate for."""

    code = "NO_RATE"
    title = "No rate"

    def __init__(self, *, currency: str) -> None:
        super().__init__(f"The programme has no rate for {currency}.", currency=currency)


class TestsFail(Refused):
    """A promotion cannot go live while its rule tests fail."""

    code = "RULE_TESTS_FAIL"
    title = "Rule tests fail"

    def __init__(self, failures: list[str]) -> None:
        super().__init__(f"{len(failures)} rule tests fail: {failures[0]}", failures=failures)
