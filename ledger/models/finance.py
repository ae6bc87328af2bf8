"""What finance keeps: the accounts of the general ledger, and who was told of what expires."""

from django.db import models

from ledger.models.books import reference_to
from ledger.models.settlement import Movement


class JournalAccount(models.Model):
    """The account of the general ledger that a movement of points is booked against."""

    class Of(models.TextChoices):
        LIABILITY = "LIABILITY", "Points outstanding: the other side of every line"
        EARNED = Movement.EARNED.value, Movement.EARNED.label
        REVERSED = Movement.REVERSED.value, Movement.REVERSED.label
        REDEEMED = Movement.REDEEMED.value, Movement.REDEEMED.label
        REDEMPTION_REVERSED = (
            Movement.REDEMPTION_REVERSED.value,
            Movement.REDEMPTION_REVERSED.label,
        )
        EXCHANGED = Movement.EXCHANGED.value, Movement.EXCHANGED.label
        EXCHANGE_REVERSED = Movement.EXCHANGE_REVERSED.value, Movement.EXCHANGE_REVERSED.label
        EXPIRED = Movement.EXPIRED.value, Movement.EXPIRED.label
        ADJUSTED = Movement.ADJUSTED.value, Movement.ADJUSTED.label
        TRANSFERRED = Movement.TRANSFERRED.value, Movement.TRANSFERRED.label
        REVALUED = "REVALUED", "The value of a point changed"
        ROUNDING = "ROUNDING", "Rounding differences"

    movement = models.CharField(max_length=20, choices=Of.choices, primary_key=True)
    account = models.CharField(max_length=64, help_text="Its number in the general ledger.")
    name = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name = "journal account"

    def __str__(self) -> str:
        return f"{self.movement}: {self.account}"


class ExpiryNotice(models.Model):
    """That a member's points of a type and date were announced as expiring; told once."""

    pk = models.CompositePrimaryKey("member_id", "point_type_id", "expires_at")
    member = reference_to("members.Member")
    point_type = reference_to("ledger.PointType")
    expires_at = models.DateTimeField()
    points = models.BigIntegerField()
    told_at = models.DateTimeField()

    class Meta:
        verbose_name = "notice of expiry"
        verbose_name_plural = "notices of expiry"

    def __str__(self) -> str:
        return f"{self.member_id} {self.point_type_id} {self.expires_at}"
