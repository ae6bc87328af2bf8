"""The back office's pages of the programme."""

from loyalty.admin import job, lookups, master, program, webhook

__all__ = ["job", "lookups", "master", "program", "webhook"]
