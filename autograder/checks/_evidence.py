"""What a failed law rests on, so that a mistake can be recognised by the law of its draws."""

from typing import Protocol

__all__ = ["Evidence"]


class Evidence(Protocol):
    """The draws, or the exact law, by which a check judged."""

    def agrees(self, other: object) -> bool:
        """Says whether `other`, of the same check on other code, shows the same law."""
