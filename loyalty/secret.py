"""Text that must not be seen: passwords, PINs, codes."""


class Secret:
    """A secret that a caller sent. Logs, error reports and debuggers show it as `Secret(…)`.

    Only `reveal` gives the text; call it inside the expression that hashes it, so that no local
    variable holds it when something fails.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"
