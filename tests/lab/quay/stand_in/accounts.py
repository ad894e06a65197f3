"""Who there is: the first account, further ones by a superuser, logins."""

import hashlib
import hmac
import re
import secrets

import psycopg2.errors

from . import services, tokens
from .messages import Problem, Reply, Request, as_json

NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{1,254}")
COST = {"n": 1 << 14, "r": 8, "p": 1, "maxmem": 64 << 20}


def hashed(password: str) -> str:
    """As it is kept."""
    salt = secrets.token_bytes(16)
    return f"scrypt${salt.hex()}${hashlib.scrypt(password.encode(), salt=salt, **COST).hex()}"


def _matches(password: str, kept: str) -> bool:
    try:
        kind, salt, right = kept.split("$")
        given = hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), **COST)
        return kind == "scrypt" and hmac.compare_digest(given.hex(), right)
    except ValueError:
        return False


def _encrypted(config: dict, name: str, kept: str) -> str:
    """A password that stands for the real one, until that is changed."""
    return tokens.sign(config, "password", {"sub": name, "of": hashlib.sha256(kept.encode()).hexdigest()}, 10 * 365 * 86400)


def login(config: dict, name: str, password: str) -> bool:
    """Whether this is the password of that account."""
    with services.transaction(config, "quay-login") as cursor:
        cursor.execute('select password_hash from "user" where username = %s', (name,))
        row = cursor.fetchone()
    if row is None:
        return False
    claims = tokens.read(config, "password", password)
    if claims is not None:
        return claims["sub"] == name and claims["of"] == hashlib.sha256(row[0].encode()).hexdigest()
    return not config.get("FEATURE_REQUIRE_ENCRYPTED_BASIC_AUTH") and _matches(password, row[0])


def _add(cursor, name: object, email: object, password: object) -> tuple[int, str]:
    """A new account: its id, and its password as it is kept."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise Problem(400, "invalid_request", "Invalid username: 2 to 255 signs, lower case, digits, and _ . - after the first")
    if not isinstance(email, str) or not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
        raise Problem(400, "invalid_request", "Invalid email address")
    if not isinstance(password, str) or len(password) < 8:
        raise Problem(400, "invalid_request", "Invalid password, password must be at least 8 characters and contain no whitespace.")
    kept = hashed(password)
    try:
        cursor.execute('insert into "user" (username, email, password_hash) values (%s, %s, %s) returning id', (name, email, kept))
    except psycopg2.errors.UniqueViolation as error:
        raise Problem(400, "invalid_request", "Username has already been taken") from error
    return cursor.fetchone()[0], kept


def initialize(request: Request) -> Reply:
    """The first account, where there is none."""
    config = request.config
    if not config.get("FEATURE_USER_INITIALIZE"):
        return as_json(400, {"message": "Cannot initialize user, FEATURE_USER_INITIALIZE is False"})
    if config.get("AUTHENTICATION_TYPE") != "Database":
        return as_json(400, {"message": "Cannot initialize user in a non-database auth system"})
    tree = request.tree()
    with services.transaction(config, "quay-api") as cursor:
        # Two nodes that are asked at once: the second one waits, and finds an account.
        cursor.execute('lock table "user" in exclusive mode')
        cursor.execute('select 1 from "user" limit 1')
        if cursor.fetchone():
            return as_json(400, {"message": "Cannot initialize user in a non-empty database"})
        number, kept = _add(cursor, tree.get("username"), tree.get("email"), tree.get("password"))
        answer = {"username": tree["username"], "email": tree["email"], "encrypted_password": _encrypted(config, tree["username"], kept)}
        if tree.get("access_token"):
            answer["access_token"] = secrets.token_urlsafe(30)
            cursor.execute("insert into oauthaccesstoken (token_hash, authorized_user_id) values (%s, %s)", (_token_hash(answer["access_token"]), number))
    return as_json(200, answer)


def _token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def by_token(request: Request) -> str | None:
    """The account that an access token of the API belongs to."""
    token = request.bearer()
    if not token:
        return None
    with services.transaction(request.config, "quay-api") as cursor:
        cursor.execute('select u.username from oauthaccesstoken t join "user" u on u.id = t.authorized_user_id where t.token_hash = %s', (_token_hash(token),))
        row = cursor.fetchone()
    return row[0] if row else None


def _superuser(request: Request) -> None:
    name = by_token(request)
    if name is None:
        raise Problem(401, "invalid_token", "Requires authentication")
    if name not in (request.config.get("SUPER_USERS") or []):
        raise Problem(403, "insufficient_scope", "Unauthorized")


def create(request: Request) -> Reply:
    """A further account, with a password that nobody has chosen."""
    _superuser(request)
    tree = request.tree()
    password = secrets.token_urlsafe(24)
    with services.transaction(request.config, "quay-api") as cursor:
        _, kept = _add(cursor, tree.get("username"), tree.get("email"), password)
    return as_json(200, {"username": tree["username"], "email": tree["email"], "password": password, "encrypted_password": _encrypted(request.config, tree["username"], kept)})


def change(request: Request, name: str) -> Reply:
    """Another password."""
    _superuser(request)
    password = request.tree().get("password")
    if not isinstance(password, str) or len(password) < 8:
        raise Problem(400, "invalid_request", "Invalid password, password must be at least 8 characters and contain no whitespace.")
    with services.transaction(request.config, "quay-api") as cursor:
        cursor.execute('update "user" set password_hash = %s where username = %s returning email', (hashed(password), name))
        row = cursor.fetchone()
    if row is None:
        raise Problem(404, "not_found", "Not Found")
    return as_json(200, {"username": name, "email": row[0]})
