"""Repeats requests while a server is busy or unreachable."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Callable

from esatls.elastic.client import BUSY, Client, ElasticError, Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from esatls.elastic.client import Action

PATIENCE = 30.0
"""Seconds for which a request is repeated while the server is busy or unreachable."""

_FIRST_PAUSE = 0.25
_TOLD_PAUSE = 4.0
_LONGEST_PAUSE = 32.0


class Retrying:
    """A client that repeats each request, with growing pauses, while the server is busy or unreachable, for at most ``patience`` seconds.

    ``tell`` gets one line about each long wait.
    """

    def __init__(self, client: Client, *, patience: float = PATIENCE, tell: Callable[[str], None] | None = None) -> None:
        """Prepare; nothing is sent."""
        self.client = client
        self.tell = tell or (lambda _line: None)
        self.patience = patience

    def ask(self, part: str, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Send a request that may be sent twice, and return the answer, which has this ``part``. Raises ``ElasticError`` if refused, or patience ends."""
        wait = _Wait(self)
        while True:
            try:
                return self.client.ask(part, method, path, body)
            except ElasticError as error:  # noqa: PERF203 (the loop is a wait)
                if not error.may_pass or not wait.pause(str(error)):
                    raise

    def bulk(self, actions: Sequence[Action]) -> list[Refusal]:
        """Send a batch, and repeat what the server may accept later; return what it rejected in the end, by its position in the batch.

        Each document gets the time of sending as ``event.ingested``: an alert does not read again what is older than the latest that it has found.
        """
        refused: list[Refusal] = []
        left = [*enumerate(actions)]
        wait = _Wait(self)
        while True:
            sent = now()
            for _, (_, document) in left:
                if document is not None:
                    document["event"]["ingested"] = sent
            try:
                answers = self.client.bulk([one for _, one in left])
            except ElasticError as error:
                if not error.may_pass or not wait.pause(str(error)):
                    raise
                continue
            answers = [one._replace(position=left[one.position][0]) for one in answers]
            refused += [one for one in answers if one.status not in BUSY]
            later = [one for one in answers if one.status in BUSY]
            if not later or not wait.pause(later[0].reason):
                return sorted(refused + later)
            left = [(one.position, actions[one.position]) for one in later]


class _Wait:
    """The pauses of one request."""

    def __init__(self, retrying: Retrying) -> None:
        self._until = time.monotonic() + retrying.patience
        self._tell = retrying.tell
        self._next = _FIRST_PAUSE

    def pause(self, reason: str) -> bool:
        """Wait, longer each time; return false if patience does not last so long."""
        if time.monotonic() + self._next > self._until:
            return False
        if self._next == _TOLD_PAUSE:
            self._tell(f"waiting for the server: {reason}")
        time.sleep(self._next)
        self._next = min(self._next * 2, _LONGEST_PAUSE)
        return True


def now() -> str:
    """Return the current time (RFC 3339, UTC, milliseconds)."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
