import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from loyalty.errors import ValidationFailed
from partners.models import Partner
from partners.services.clients import create_client


class Command(BaseCommand):
    help = "Make an API client and print its id and secret, which are shown this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--partner", help="the partner's code; without it, a house client")
        parser.add_argument(
            "--scope", action="append", default=[], help="repeat; without, all it may hold"
        )
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        partner = None
        if options["partner"]:
            partner = Partner.objects.filter(code=options["partner"]).first()
            if partner is None:
                raise CommandError(f"There is no partner {options['partner']}.")
        try:
            made = create_client(options["name"], partner=partner, scopes=options["scope"])
        except ValidationFailed as error:
            raise CommandError(error.detail) from None
        if options["json"]:
            answer = {"client_id": made.client_id, "client_secret": made.client_secret}
            self.stdout.write(json.dumps(answer))
        else:
            self.stdout.write(f"client id      {made.client_id}")
            self.stdout.write(f"client secret  {made.client_secret}")
