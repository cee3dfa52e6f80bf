"""A group of probes that lacks a part of itself cannot be made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.module_utils.verify.group import Document
from ansible_collections.twinstack.core.plugins.module_utils.verify.groups import GROUPS


@pytest.mark.parametrize("field", ["id", "plan", "next_command", "document"])
def test_a_group_that_says_nothing_of_itself_is_refused(field: str) -> None:
    nothing: dict[str, Any] = {field: "" if field == "id" else None}
    with pytest.raises(ValueError, match=rf"\b{field}: found nothing"):
        replace(GROUPS[0], **nothing)


@pytest.mark.parametrize("cell", ["source", "target", "passes"])
def test_a_row_of_the_documents_without_a_cell_is_refused(cell: str) -> None:
    row = {"source": "a", "target": "b", "passes": "c"}
    assert Document(**row)
    with pytest.raises(ValueError, match=f"{cell}: found nothing"):
        Document(**row | {cell: " "})
