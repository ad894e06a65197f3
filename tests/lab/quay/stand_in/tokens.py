"""Signed tokens. The key comes from DATABASE_SECRET_KEY, so that each node believes what another one has signed."""

import base64
import binascii
import hashlib
import hmac
import json
import time

LEEWAY = 30


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def jwt(key: bytes, claims: dict, seconds: int) -> str:
    """A JWT by HMAC-SHA256."""
    now = int(time.time())
    head = _encode(b'{"alg":"HS256","typ":"JWT"}')
    body = _encode(json.dumps({**claims, "iat": now, "nbf": now, "exp": now + seconds}).encode())
    return f"{head}.{body}.{_encode(hmac.new(key, f'{head}.{body}'.encode(), hashlib.sha256).digest())}"


def _key(config: dict, purpose: str) -> bytes:
    """A key for each purpose: a token for one thing opens no other."""
    return hmac.new(str(config["DATABASE_SECRET_KEY"]).encode(), purpose.encode(), hashlib.sha256).digest()


def sign(config: dict, purpose: str, claims: dict, seconds: int) -> str:
    """A token of this registry."""
    return jwt(_key(config, purpose), claims, seconds)


def read(config: dict, purpose: str, token: str) -> dict | None:
    """The claims of a token, if it is one of this registry, for that purpose, and not too old."""
    try:
        head, body, signature = token.split(".")
        right = hmac.new(_key(config, purpose), f"{head}.{body}".encode(), hashlib.sha256).digest()
        if not hmac.compare_digest(right, _decode(signature)):
            return None
        claims = json.loads(_decode(body))
        return claims if claims["nbf"] - LEEWAY <= time.time() <= claims["exp"] else None
    except (ValueError, KeyError, TypeError, binascii.Error):
        return None
