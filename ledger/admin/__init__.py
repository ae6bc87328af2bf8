"""The back office's pages of the ledger."""

from ledger.admin import books, finance, settlement

__all__ = ["books", "finance", "settlement"]
