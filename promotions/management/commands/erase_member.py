import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from loyalty.caller import Actor
from loyalty.errors import LoyaltyError
from promotions.services.membership.erasure import erase_member


class Command(BaseCommand):
    help = "Erase the personal data of a member, for ever; the number and the books stay."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("number", help="the member's number")
        parser.add_argument("--reason", required=True, help="why; do not name the person")
        parser.add_argument("--no-input", action="store_true", help="do not ask again")

    def handle(self, *args: Any, **options: Any) -> None:
        number = options["number"]
        if not options["no_input"]:
            again = input(f"Type the number {number} again to erase this person for ever: ")
            if again.strip() != number:
                raise CommandError("Nothing was erased.")
        try:
            with transaction.atomic():
                erased = erase_member(
                    {"number": number},
                    by=Actor.staff(getpass.getuser()),
                    at=timezone.now(),
                    reason=options["reason"],
                )
        except LoyaltyError as error:
            raise CommandError(error.detail) from None
        self.stdout.write(f"{erased.number} was erased at {erased.erased_at.isoformat()}.")
