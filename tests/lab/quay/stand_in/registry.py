"""The registry API, as clients speak it: who may do what, and which part answers."""

import re

from . import accounts, blobs, manifests, services, tokens, uploads
from .messages import Problem, Reply, Request, as_json

REPOSITORY = r"[a-z0-9][a-z0-9_.-]*(?:/[a-z0-9][a-z0-9_.-]*)+"
UPLOADS = re.compile(rf"/v2/({REPOSITORY})/blobs/uploads/([0-9a-f-]*)")
BLOB = re.compile(rf"/v2/({REPOSITORY})/blobs/(sha256:[0-9a-f]{{64}})")
MANIFEST = re.compile(rf"/v2/({REPOSITORY})/manifests/([A-Za-z0-9_][A-Za-z0-9_.:-]*)")
TAGS = re.compile(rf"/v2/({REPOSITORY})/tags/list")
SCOPE = re.compile(rf"repository:({REPOSITORY}):([a-z,*]+)")
VERSION = {"Docker-Distribution-API-Version": "registry/2.0"}
# How long a token counts.
SECONDS = 3600


def lookup(config: dict, path: str) -> tuple[int, bool] | None:
    """The number of a repository, and whether all may read it."""
    namespace, name = path.split("/", 1)
    with services.transaction(config, "quay-registry") as cursor:
        cursor.execute('select r.id, r.is_public from repository r join "user" u on u.id = r.namespace_user_id where u.username = %s and r.name = %s', (namespace, name))
        return cursor.fetchone()


def _created(config: dict, path: str) -> int:
    """The first push makes the repository."""
    namespace, name = path.split("/", 1)
    with services.transaction(config, "quay-registry") as cursor:
        cursor.execute('insert into repository (namespace_user_id, name) select id, %s from "user" where username = %s on conflict do nothing', (name, namespace))
    row = lookup(config, path)
    if row is None:
        raise Problem(404, "NAME_UNKNOWN", "repository name not known to registry")
    return row[0]


def authenticate(request: Request) -> Reply:
    """A token for what the account may do of what the client wants."""
    config = request.config
    given = request.basic()
    scopes = [scope for value in request.query.get("scope", []) for scope in value.split()]
    if given is not None and not accounts.login(config, *given):
        raise Problem(401, "UNAUTHORIZED", "Invalid Username or Password")
    if given is None and not scopes:
        raise Problem(401, "UNAUTHORIZED", "there is neither an account nor a scope")
    name = given[0] if given else None
    access = []
    for scope in scopes:
        found = SCOPE.fullmatch(scope)
        if found is None:
            continue
        path, wanted = found[1], set(found[2].split(","))
        allowed = set()
        if name is not None and path.split("/")[0] == name:
            allowed = {"pull", "push", "*"}
        elif config.get("FEATURE_ANONYMOUS_ACCESS", True) or name is not None:
            row = lookup(config, path)
            allowed = {"pull"} if row and row[1] else set()
        access.append({"type": "repository", "name": path, "actions": sorted(wanted & allowed)})
    claims = {"iss": "quay", "aud": config["SERVER_HOSTNAME"], "sub": name or "(anonymous)", "access": access}
    return as_json(200, {"token": tokens.sign(config, "registry", claims, SECONDS)})


def _claims(request: Request) -> dict | None:
    token = request.bearer()
    return tokens.read(request.config, "registry", token) if token else None


def _challenge(request: Request, path: str = "", actions: str = "") -> Problem:
    text = f'Bearer realm="{request.origin()}/v2/auth",service="{request.config["SERVER_HOSTNAME"]}"'
    if path:
        text += f',scope="repository:{path}:{actions}"'
    return Problem(401, "UNAUTHORIZED", "access to the requested resource is not authorized", {"WWW-Authenticate": text, **VERSION})


def _may(claims: dict | None, path: str, action: str) -> bool:
    return claims is not None and any(item.get("name") == path and {action, "*"} & set(item.get("actions", [])) for item in claims.get("access", []))


def _reader(request: Request, path: str) -> int:
    """The number of a repository that the client may read."""
    if not _may(_claims(request), path, "pull"):
        raise _challenge(request, path, "pull")
    row = lookup(request.config, path)
    if row is None:
        raise Problem(404, "NAME_UNKNOWN", "repository name not known to registry")
    return row[0]


def _writer(request: Request, path: str) -> int:
    """The number of a repository that the client may write; made if it is not there."""
    if not _may(_claims(request), path, "push"):
        raise _challenge(request, path, "pull,push")
    row = lookup(request.config, path)
    return row[0] if row else _created(request.config, path)


def _blob(request: Request, path: str, digest: str) -> Reply:
    repository = _reader(request, path)
    with services.transaction(request.config, "quay-registry") as cursor:
        blob = blobs.of_repository(cursor, repository, digest)
    if blob is None:
        raise Problem(404, "BLOB_UNKNOWN", "blob unknown to registry")
    headers = {"Docker-Content-Digest": digest, "Cache-Control": "max-age=31436000"}
    pieces = None if request.method == "HEAD" else blobs.content(request.config, blob)
    return Reply(200, kind="application/octet-stream", headers=headers, pieces=pieces, length=blob.size)


def _upload(request: Request, path: str, name: str) -> Reply:
    repository = _writer(request, path)
    if not name:
        other = request.one("from")
        row = lookup(request.config, other) if other and "/" in other and _may(_claims(request), other, "pull") else None
        return uploads.begin(request, path, repository, row[0] if row else None)
    part = {"PATCH": uploads.go_on, "PUT": uploads.finish, "GET": uploads.other, "DELETE": uploads.other}[request.method]
    return part(request, path, repository, name)


def _manifest(request: Request, path: str, reference: str) -> Reply:
    match request.method:
        case "PUT":
            return manifests.put(request, path, _writer(request, path), reference)
        case "DELETE":
            return manifests.delete(request, _writer(request, path), reference)
        case _:
            return manifests.get(request, _reader(request, path), reference)


def answer(request: Request) -> Reply:
    """Whatever is asked below /v2."""
    path, method = request.path, request.method
    if path in ("/v2", "/v2/"):
        if _claims(request) is None:
            raise _challenge(request)
        return as_json(200, {}, VERSION)
    if path == "/v2/auth" and method in ("GET", "HEAD"):
        return authenticate(request)
    if (found := UPLOADS.fullmatch(path)) and method in (("GET", "PATCH", "PUT", "DELETE") if found[2] else ("POST",)):
        return _upload(request, found[1], found[2])
    if (found := BLOB.fullmatch(path)) and method in ("GET", "HEAD"):
        return _blob(request, found[1], found[2])
    if (found := MANIFEST.fullmatch(path)) and method in ("GET", "HEAD", "PUT", "DELETE"):
        return _manifest(request, found[1], found[2])
    if (found := TAGS.fullmatch(path)) and method in ("GET", "HEAD"):
        return manifests.tags(request, found[1], _reader(request, found[1]))
    raise Problem(404, "NAME_UNKNOWN", "there is nothing of that name")
