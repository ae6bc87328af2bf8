"""What proves that a member is asking: one-time codes, and the step-ups they and PINs give."""

from django.db import models

from members.models.member import Member


class Verification(models.Model):
    """A one-time code, or the token of a password reset, sent to a contact.

    One that was asked for a name that nobody has looks the same, and no code fits it. The worker
    makes the secret when it sends it, so that neither database nor queue ever holds it.
    """

    class Purpose(models.TextChoices):
        CONTACT = "CONTACT", "Confirm a contact"
        SIGN_IN = "SIGN_IN", "Sign in"
        PASSWORD = "PASSWORD", "Set a new password"  # noqa: S105 a purpose
        PIN = "PIN", "Set the PIN"
        THRESHOLD = "THRESHOLD", "Raise the redemption threshold"
        REDEEM = "REDEEM", "Redeem points"

    class Channel(models.TextChoices):
        EMAIL = "EMAIL", "E-mail"
        SMS = "SMS", "SMS"

    id = models.UUIDField(primary_key=True)
    member = models.ForeignKey(Member, null=True, on_delete=models.CASCADE, related_name="+")
    purpose = models.CharField(max_length=10, choices=Purpose.choices)
    channel = models.CharField(max_length=5, choices=Channel.choices)
    to = models.CharField(max_length=254, blank=True)
    points = models.BigIntegerField(null=True)
    point_type = models.CharField(max_length=64, blank=True)
    secret_hash = models.BinaryField(max_length=32, null=True, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    claimed_at = models.DateTimeField(null=True, help_text="When a worker began to send it.")
    sent_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["created_at"],
                condition=models.Q(sent_at=None, member__isnull=False),
                name="verification_unsent",
            )
        ]

    def __str__(self) -> str:
        return f"{self.purpose} by {self.channel}"


class StepUp(models.Model):
    """Leave to do one thing that needs more than a session or a token; of it only a hash is kept.

    Spent by the first change that commits with it, in that change's transaction.
    """

    class Purpose(models.TextChoices):
        REDEEM = "REDEEM", "Redeem points"
        THRESHOLD = "THRESHOLD", "Raise the redemption threshold"
        PIN = "PIN", "Set the PIN"

    id = models.UUIDField(primary_key=True)
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    token_hash = models.BinaryField(max_length=32, unique=True)
    purpose = models.CharField(max_length=10, choices=Purpose.choices)
    points = models.BigIntegerField(null=True, help_text="The most that may be redeemed with it.")
    point_type = models.CharField(max_length=64, blank=True)
    partner = models.ForeignKey(
        "partners.Partner", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    client_id = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    spent_at = models.DateTimeField(null=True)
    spent_on = models.CharField(max_length=200, blank=True, help_text="The posting's reference.")

    def __str__(self) -> str:
        return f"step-up for {self.purpose}"


class RedemptionThreshold(models.Model):
    """Above what a member's redemptions need a PIN, where the member set it; a row per member.

    Null means as the programme says.
    """

    member = models.OneToOneField(
        Member, on_delete=models.CASCADE, primary_key=True, related_name="redemption_threshold"
    )
    per_transaction = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    per_day = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    set_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"threshold of {self.member_id}"
