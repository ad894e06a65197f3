"""The API beside the registry's: accounts, and what the scanner has found."""

import re

from . import accounts, registry, scanner
from .messages import Problem, Reply, Request, as_json

USER = re.compile(r"/api/v1/superuser/users/([a-z0-9][a-z0-9_.-]+)")
SECURITY = re.compile(rf"/api/v1/repository/({registry.REPOSITORY})/manifest/(sha256:[0-9a-f]{{64}})/security")


def _security(request: Request, path: str, digest: str) -> Reply:
    row = registry.lookup(request.config, path)
    name = accounts.by_token(request)
    if not (row and row[1]) and name != path.split("/")[0]:
        raise Problem(401 if name is None else 403, "insufficient_scope", "Unauthorized")
    try:
        found = scanner.result(request.config, row[0], digest) if row else None
    except scanner.Away as error:
        raise Problem(520, "external_service_timeout", str(error)) from error
    if found is None:
        raise Problem(404, "not_found", "Not Found")
    return as_json(200, found)


def answer(request: Request) -> Reply:
    """Whatever is asked below /api/v1."""
    path = request.path.rstrip("/")
    match request.method, path:
        case "POST", "/api/v1/user/initialize":
            return accounts.initialize(request)
        case "POST", "/api/v1/superuser/users":
            return accounts.create(request)
    if request.method == "PUT" and (found := USER.fullmatch(path)):
        return accounts.change(request, found[1])
    if request.method == "GET" and (found := SECURITY.fullmatch(path)):
        return _security(request, found[1], found[2])
    raise Problem(404, "not_found", "Not Found")
