"""What is settled with partners: a statement a month, whose lines are frozen with it."""

from django.db import models

from ledger.models.books import PointType
from partners.models import Partner


class Movement(models.TextChoices):
    """What points did that came in, or left what members hold (the view `ledger_movement`)."""

    EARNED = "EARNED", "Earned"
    REVERSED = "REVERSED", "Earned points taken back"
    REDEEMED = "REDEEMED", "Redeemed"
    REDEMPTION_REVERSED = "REDEMPTION_REVERSED", "Redeemed points given back"
    EXCHANGED = "EXCHANGED", "Exchanged for units of the partner"
    EXCHANGE_REVERSED = "EXCHANGE_REVERSED", "Exchanged points given back"
    EXPIRED = "EXPIRED", "Expired or forfeited"
    ADJUSTED = "ADJUSTED", "Taken by the programme"
    TRANSFERRED = "TRANSFERRED", "From one member to another"


class Statement(models.Model):
    """What a partner and the programme owe each other for what was posted in a local month.

    `amount` is what the partner pays; negative, it is paid. Statements are written once, when the
    month is closed, and never changed.
    """

    partner = models.ForeignKey(Partner, on_delete=models.PROTECT, related_name="+")
    month = models.DateField(help_text="The first day of the month.")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(help_text="The first instant of the next month.")
    currency = models.CharField(max_length=3)
    amount = models.DecimalField(max_digits=18, decimal_places=4)
    closed_at = models.DateTimeField()

    class Meta:
        permissions = [("settle_statement", "Can close a month and settle with partners")]
        constraints = [
            models.UniqueConstraint(fields=["partner", "month"], name="ledger_statement_once")
        ]

    def __str__(self) -> str:
        return f"{self.partner} {self.month:%Y-%m}"


class StatementLine(models.Model):
    """Points of one movement, type and rate; `amount` is points times rate, rounded once."""

    statement = models.ForeignKey(Statement, on_delete=models.PROTECT, related_name="lines")
    movement = models.CharField(max_length=20, choices=Movement.choices)
    point_type = models.ForeignKey(PointType, on_delete=models.PROTECT, related_name="+")
    rate = models.DecimalField(max_digits=18, decimal_places=8, null=True)
    transactions = models.BigIntegerField()
    points = models.BigIntegerField(help_text="The change of what members hold.")
    amount = models.DecimalField(max_digits=18, decimal_places=4)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["statement", "movement", "point_type", "rate"],
                nulls_distinct=False,
                name="ledger_statementline_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.movement} {self.points}"
