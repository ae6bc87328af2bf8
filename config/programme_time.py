"""The back office's clock: people there read and write times as the programme's own."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from loyalty.models import Program

BACK_OFFICE = "/admin/"


class ProgrammeTimeMiddleware:
    """Serve the back office in the programme's time zone. The API is in UTC, whatever it is."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith(BACK_OFFICE):
            return self.get_response(request)
        zone = Program.objects.values_list("time_zone", flat=True).first()
        with timezone.override(ZoneInfo(zone or "UTC")):
            return self.get_response(request)
