"""Records as the install leaves them."""

from __future__ import annotations

import base64
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.host import record as host_record


def record(**values: Any) -> dict[str, Any]:
    """A record with nothing in it but what is given."""
    return {**{key: type(default)() for key, default in host_record.EMPTY.items()}, **values}


def encoded(text: str) -> str:
    """A text as the record keeps it."""
    return base64.b64encode(text.encode()).decode()
