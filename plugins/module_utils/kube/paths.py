"""Where the API has what. Pure."""

from __future__ import annotations

from urllib.parse import quote


def path(api_version: str, plural: str = "", namespace: str = "", name: str = "") -> str:
    """Of an object, of all objects of a kind, in a namespace or in all, or without a kind of a group and version."""
    root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    space = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
    kind = f"/{plural}" if plural else ""
    return f"{root}{space}{kind}" + (f"/{quote(name, safe='')}" if name else "")


def proxy(plural: str, namespace: str, name: str, port: int) -> str:
    """Where the pages of a pod or Service begin, for requests through the API server. plural: pods or services."""
    return f"/api/v1/namespaces/{namespace}/{plural}/{name}:{port}/proxy"
