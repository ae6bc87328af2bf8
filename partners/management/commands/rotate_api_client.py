import json
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from partners.models import ApiClient
from partners.services.clients import rotate_secret


class Command(BaseCommand):
    help = "Give an API client a new secret, shown this once; the old one works for a while more."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("client_id")
        parser.add_argument("--hours", type=float, default=24, help="how long both work (24)")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        client = ApiClient.objects.filter(application__client_id=options["client_id"]).first()
        if client is None:
            raise CommandError(f"There is no API client {options['client_id']}.")
        if options["hours"] < 0:
            raise CommandError("--hours cannot be negative.")
        at, both_for = timezone.now(), timedelta(hours=options["hours"])
        made = rotate_secret(client, at=at, both_for=both_for)
        if options["json"]:
            answer = {
                "client_id": made.client_id,
                "client_secret": made.client_secret,
                "old_secret_until": (at + both_for).isoformat(),
            }
            self.stdout.write(json.dumps(answer))
        else:
            self.stdout.write(f"client id      {made.client_id}")
            self.stdout.write(f"client secret  {made.client_secret}")
            self.stdout.write(f"old one until  {at + both_for:%Y-%m-%d %H:%M} UTC")
