"""What keeps a page from being used against its reader: headers, origin, form tokens, sessions."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

SESSION_COOKIE = "roadworthy_session"
SESSION_SECONDS = 12 * 3600

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; font-src 'self'; "
    "img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class FormTokens:
    """Marks the forms of this process's pages, so that a form from elsewhere is known."""

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or secrets.token_bytes(32)

    def make(self, purpose: str) -> str:
        """The token of a form, bound to what it does.

        >>> tokens = FormTokens(b"key")
        >>> tokens.holds("rollback a", tokens.make("rollback a"))
        True
        >>> tokens.holds("rollback b", tokens.make("rollback a"))
        False
        """
        return hmac.new(self._key, purpose.encode(), hashlib.sha256).hexdigest()

    def holds(self, purpose: str, token: str) -> bool:
        """Whether this process made the token for this purpose; in constant time."""
        return hmac.compare_digest(self.make(purpose).encode(), token.encode())


def from_own_page(headers: Mapping[str, str], host: str) -> bool:
    """Whether a POST comes from a page of this same origin.

    Browsers say so in ``Sec-Fetch-Site`` and ``Origin``; what carries neither is no browser's
    form, and refused.

    >>> from_own_page({"sec-fetch-site": "same-origin"}, "localhost:8400")
    True
    >>> from_own_page({"origin": "http://evil.example"}, "localhost:8400")
    False
    >>> from_own_page({"origin": "http://localhost:8400"}, "localhost:8400")
    True
    >>> from_own_page({}, "localhost:8400")
    False
    """
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != host:
        return False
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    return origin is not None


def host_allowed(host: str, allowed: tuple[str, ...]) -> bool:
    """Whether the pages answer to this name: a foreign name that points here is refused.

    >>> host_allowed("localhost:8400", ("localhost",)), host_allowed("evil.example", ("localhost",))
    (True, False)
    >>> host_allowed("[::1]:8400", ("[::1]",))
    True
    """
    name = host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
    return name.lower() in allowed


def same_token(given: str, token: str) -> bool:
    """Whether this is the token; in constant time.

    >>> same_token("a", "a"), same_token("", "a")
    (True, False)
    """
    return hmac.compare_digest(given.encode(), token.encode())


def make_session(token: str, now: float | None = None) -> str:
    """A session's cookie: when it ends, and a proof by the token that nobody else can make."""
    ends = str(int((time.time() if now is None else now) + SESSION_SECONDS))
    return f"{ends}.{_proof(token, ends)}"


def session_holds(cookie: str, token: str, now: float | None = None) -> bool:
    """Whether the cookie was made with this token and has not ended.

    >>> session_holds(make_session("t", now=0), "t", now=60)
    True
    >>> session_holds(make_session("t", now=0), "other", now=60)
    False
    >>> session_holds(make_session("t", now=0), "t", now=SESSION_SECONDS + 1)
    False
    """
    ends, _, proof = cookie.partition(".")
    if not ends.isascii() or not ends.isdigit() or len(ends) > 15:
        return False
    if not hmac.compare_digest(_proof(token, ends).encode(), proof.encode()):
        return False
    return (time.time() if now is None else now) < int(ends)


def _proof(token: str, ends: str) -> str:
    return hmac.new(token.encode(), f"pages:{ends}".encode(), hashlib.sha256).hexdigest()
