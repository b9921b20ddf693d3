"""A small HTTP client for Elasticsearch and Kibana, using only the standard library."""

from __future__ import annotations

import http.client
import ipaddress
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
import uuid
from base64 import b64encode
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from esatls.errors import EsatlsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

BUSY = frozenset({429, 502, 503, 504})
"""Statuses with which a server, or a proxy in front of it, asks to try again later."""

TOO_LONG = 413
"""Status with which a proxy, or a server, refuses a request because of its length."""

_LONGEST_BULK = 1_000_000
"""Bytes of a bulk request, unless it has only one document: by default, nginx refuses requests of more than 1 MiB, and Elasticsearch those of 100 MB."""
_LONGEST_REASON = 500
_KEY_PLACES = "ESATLS_ELASTIC_API_KEY or --api-key-file"
_USER_PLACES = "ESATLS_ELASTIC_USER and ESATLS_ELASTIC_PASSWORD, or --user and --password-file"


class ElasticError(EsatlsError):
    """A server could not be reached, or rejected a request; ``status`` is its HTTP status, 0 for none."""

    def __init__(self, message: str, status: int = 0) -> None:
        """Keep the status beside the one-line message."""
        super().__init__(message)
        self.status = status

    @property
    def may_pass(self) -> bool:
        """Tell whether the same request may succeed later, because the server is only busy or unreachable."""
        return self.status in BUSY


class UnreachableError(ElasticError):
    """No server answers."""

    @property
    def may_pass(self) -> bool:
        """Return true: the server may be reachable later."""
        return True


Action = tuple[dict[str, Any], Optional[dict[str, Any]]]
"""What to do in a bulk request, and the document if there is one."""


class Refusal(NamedTuple):
    """A document that the server rejected: its position in the request, the status, and the reason in one line."""

    position: int
    status: int
    reason: str


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follow no redirect: the API key would go to wherever it points."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Client:
    """One server.

    ``url`` is its address, with a path if it has one. ``api_key`` is the encoded key; instead, there may be a ``user``: a name and a password. ``ca_cert``
    names a PEM file with the CA that signed the server's certificate. ``verify=False`` turns off all checks of certificates.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        *,
        user: tuple[str, str] | None = None,
        ca_cert: str | None = None,
        verify: bool = True,
        timeout: float = 60,
    ) -> None:
        """Check the address and prepare the connection; nothing is sent. Raises ``UsageError`` for an address or credentials that cannot be used."""
        if "@" in url:
            # checked first, because the other messages would show the password
            raise UsageError("the server address must not contain a password: use an API key")
        if not url.lower().startswith(("https://", "http://")):
            raise UsageError(f"not a server address: {url!r} (must start with https:// or http://)")
        parts = _parts(url)
        if parts is None or not parts.hostname:
            raise UsageError(f"not a server address: {url!r}")
        if api_key and user:
            raise UsageError("use an API key, or a user and a password, not both")
        if (api_key or user) and parts.scheme == "http" and not _is_loopback(parts.hostname):
            raise UsageError(f"the {'API key' if api_key else 'password'} would be sent to {parts.hostname} unencrypted: use https://")
        if api_key and not (api_key.isascii() and api_key.isprintable() and " " not in api_key):
            raise UsageError("the API key contains invalid characters")
        self.url = url.rstrip("/")
        self.is_elasticsearch = False
        """Whether the last answer came from Elasticsearch, not from another search server with the same API."""
        self._authorization = f"ApiKey {api_key}" if api_key else f"Basic {b64encode(':'.join(user).encode()).decode()}" if user else ""
        self._timeout = timeout
        handlers: list[Any] = [_NoRedirect]
        if parts.scheme == "https" or ca_cert:
            handlers.append(urllib.request.HTTPSHandler(context=_context(ca_cert, verify=verify)))
        self._opener = urllib.request.build_opener(*handlers)

    def request(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        """Send ``body`` (an object goes as JSON, bytes as they are) and return the decoded answer, or its text.

        Raises ``ElasticError`` with the server's own reason if it answers with an error.
        """
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Accept": "application/json", "Content-Type": "application/json", **(headers or {})}
        if self._authorization:
            sent["Authorization"] = self._authorization
        request = urllib.request.Request(self.url + path, data=data, headers=sent, method=method)  # noqa: S310 (scheme checked above)
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                self.is_elasticsearch = answer.headers.get("X-Elastic-Product") == "Elasticsearch"
                text = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                reason = _reason(_body(error))
            hint = self._key_hint() if error.code == 401 else ""
            raise ElasticError(_one_line(f"{method} {self.url}{path}: {error.code} {reason or error.reason}") + hint, error.code) from error
        except urllib.error.URLError as error:
            message = f"{self.url}: {_connection_problem(error.reason)}"
            kind = ElasticError if isinstance(error.reason, ssl.SSLCertVerificationError) else UnreachableError
            raise kind(_one_line(message)) from error
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(_one_line(f"{self.url}: {error}")) from error
        except ValueError as error:
            raise ElasticError(_one_line(f"{self.url}: {error}")) from error
        try:
            return json.loads(text) if text else None
        except ValueError:
            return text.decode("utf-8", "replace")

    def ask(self, part: str, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> dict[str, Any]:
        """Send a request, and return the answer, an object with this ``part``. Any other answer is a proxy's, or cut off, and raises ``UnreachableError``."""
        answer = self.request(method, path, body, headers)
        if not isinstance(answer, dict) or part not in answer:
            raise UnreachableError(f"{method} {self.url}{path}: the answer is cut off, or not a search server's")
        return answer

    def _key_hint(self) -> str:
        """Return what a user can do when the server asks for credentials."""
        if self._authorization.startswith("Basic"):
            return f"; {_USER_PLACES} must name a user of this server"
        if self._authorization:
            return f"; {_KEY_PLACES} must contain an API key of this server, in its encoded form"
        return f"; set an API key in {_KEY_PLACES}"

    def exists(self, path: str) -> bool:
        """Tell whether the server has what ``path`` names."""
        try:
            self.request("GET", path)
        except ElasticError as error:
            if error.status in {400, 404, 405}:
                return False
            raise
        return True

    def bulk(self, actions: Iterable[Action]) -> list[Refusal]:
        """Write or delete documents, in as many requests as needed; return those that were rejected, in order."""
        refused: list[Refusal] = []
        body: list[bytes] = []
        first = size = 0
        for position, action in enumerate(actions):
            text = "".join(json.dumps(part, separators=(",", ":")) + "\n" for part in action if part is not None).encode()
            if body and size + len(text) > _LONGEST_BULK:
                refused += self._bulk(body, first)
                body, first, size = [], position, 0
            body.append(text)
            size += len(text)
        return refused + (self._bulk(body, first) if body else [])

    def _bulk(self, body: list[bytes], first: int) -> list[Refusal]:
        """Send one bulk request; ``first`` is the position of its first document. One that is too long is sent in halves; a document alone is rejected."""
        try:
            answer = self.ask("errors", "POST", "/_bulk", b"".join(body), {"Content-Type": "application/x-ndjson"})
        except ElasticError as error:
            if error.status != TOO_LONG:
                raise
            half = len(body) // 2
            if not half:
                place = next(iter(json.loads(body[0].partition(b"\n")[0]).values()))
                return [Refusal(first, TOO_LONG, _one_line(f"{place['_index']}/{place.get('_id')}: {error}"))]
            return self._bulk(body[:half], first) + self._bulk(body[half:], first + half)
        if not answer["errors"]:
            return []
        results = enumerate((next(iter(item.values())) for item in answer["items"]), first)
        return [
            Refusal(position, result["status"], _one_line(f"{result['_index']}/{result.get('_id')}: {_reason(json.dumps(result).encode())}"))
            for position, result in results
            if "error" in result
        ]

    def upload(self, path: str, name: str, content: bytes, headers: dict[str, str]) -> Any:
        """Send one file as an HTML form does (multipart/form-data)."""
        boundary = uuid.uuid4().hex
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: application/ndjson\r\n\r\n'
        body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
        return self.request("POST", path, body, {"Content-Type": f"multipart/form-data; boundary={boundary}", **headers})


def _body(error: urllib.error.HTTPError) -> bytes:
    """Return the text of an error; none if it is cut off."""
    try:
        return error.read()
    except (OSError, http.client.HTTPException):
        return b""


def _parts(url: str) -> urllib.parse.SplitResult | None:
    """Return the parts of an address; None if it or its port is not valid."""
    try:
        parts = urllib.parse.urlsplit(url)
        is_possible = parts.port != 0
    except ValueError:
        return None
    return parts if is_possible else None


def _context(ca_cert: str | None, *, verify: bool) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_cert)
    except (OSError, ssl.SSLError) as error:
        raise ElasticError(f"cannot read the certificate file {ca_cert}: {error}") from error
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _reason(answer: bytes) -> str:
    """Return what the server says is wrong: the reason of the error and of its deepest cause."""
    try:
        error = json.loads(answer)
    except ValueError:
        return answer[:_LONGEST_REASON].decode("utf-8", "replace")
    if not isinstance(error, dict):
        return str(error)
    found = error.get("error", error)
    if isinstance(found, str):
        return f"{found}: {error['message']}" if "message" in error else found
    reasons = []
    while isinstance(found, dict):
        if found.get("reason"):
            reasons.append(str(found["reason"]))
        found = found.get("caused_by")
    return ": ".join(reasons[:1] + reasons[-1:] if len(reasons) > 1 else reasons)


def _connection_problem(reason: Any) -> str:
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"its certificate cannot be verified ({reason.verify_message}); use --ca-cert to name its CA"
    if isinstance(reason, ConnectionRefusedError):
        return "connection refused"
    return f"cannot be reached: {reason}"


def _one_line(text: str) -> str:
    """Put a message on one line, cut it, and remove control characters: text from a server cannot be trusted."""
    return "".join(character if character.isprintable() else " " for character in text)[: 2 * _LONGEST_REASON]
