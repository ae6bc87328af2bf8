"""How members sign in: their credentials, and the sessions these open."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from members.models.member import Member


class Credential(models.Model):
    """A member's password and PIN, as argon2 hashes; apart from the profile, and never answered."""

    member = models.OneToOneField(
        Member, on_delete=models.CASCADE, primary_key=True, related_name="credential"
    )
    password = models.CharField(max_length=255, blank=True)
    password_set_at = models.DateTimeField(null=True)
    former_passwords = ArrayField(models.CharField(max_length=255), default=list)
    must_change_password = models.BooleanField(default=False)
    pin = models.CharField(max_length=255, blank=True)
    pin_set_at = models.DateTimeField(null=True)

    class Meta:
        permissions = [
            ("unlock_sign_in", "Can unlock the sign-in of members"),
            ("unlock_pin", "Can unlock the PIN of members"),
            ("reset_pin", "Can reset the PIN of members"),
            ("end_sessions", "Can end the sessions of members"),
        ]

    def __str__(self) -> str:
        return f"credential of {self.member_id}"


class Session(models.Model):
    """A member signed in on a device. Of its tokens only hashes are kept.

    The refresh token changes at each use; one that comes again was stolen, and ends the session.
    """

    id = models.UUIDField(primary_key=True)
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="sessions")
    token_hash = models.BinaryField(max_length=32, unique=True)
    refresh_hash = models.BinaryField(max_length=32, unique=True)
    device = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    refreshed_at = models.DateTimeField()
    expires_at = models.DateTimeField(help_text="When the token ends; a refresh gives the next.")
    refresh_expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["member"], condition=models.Q(ended_at=None), name="session_of_member"
            )
        ]

    def __str__(self) -> str:
        return f"session {self.id}"
