"""What the programme lets members of some stages do."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from members.models.member import Member
from members.stages import CHANGEABLE, DEFAULTS, Permissions


class StagePermission(models.Model):
    """What members of a stage may do, for the stages that a programme may change.

    The other stages are as the contract has them; a missing row means the same.
    """

    class Contact(models.TextChoices):
        NO = "NO", "Not at all"
        SERVICE = "SERVICE", "Service messages"
        CONSENT = "CONSENT", "As they agreed"

    CHOICES: ClassVar = [each for each in Member.Stage.choices if each[0] in CHANGEABLE]

    stage = models.CharField(max_length=10, primary_key=True, choices=CHOICES)
    earn = models.BooleanField()
    redeem = models.BooleanField()
    sign_in = models.BooleanField()
    contact = models.CharField(max_length=8, choices=Contact.choices)

    class Meta:
        verbose_name = "stage"
        constraints = [
            models.CheckConstraint(
                condition=Q(stage__in=CHANGEABLE), name="members_stagepermission_changeable"
            )
        ]

    def __str__(self) -> str:
        return self.stage

    @property
    def permissions(self) -> Permissions:
        """What it allows, as the pure code takes it."""
        return Permissions(self.earn, self.redeem, self.sign_in, self.contact)

    @classmethod
    def by_default(cls, stage: str) -> "StagePermission":
        """Return the row of a stage as the contract has it, not saved."""
        default = DEFAULTS[stage]
        return cls(
            stage=stage,
            earn=default.earn,
            redeem=default.redeem,
            sign_in=default.sign_in,
            contact=default.contact,
        )
