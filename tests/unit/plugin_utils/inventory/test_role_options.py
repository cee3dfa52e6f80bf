"""Options of roles: their types, and that every role is read."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twinstack.core.plugins.plugin_utils.inventory import role_options

from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("value", "option", "expected"),
    [
        ("5", {"type": "int"}, ""),
        (5.0, {"type": "int"}, "a whole number"),
        ("5.5", {"type": "int"}, "a whole number"),
        (True, {"type": "int"}, "a whole number"),
        ("5.5", {"type": "float"}, ""),
        ("no", {"type": "bool"}, ""),
        ("never", {"type": "bool"}, "true or false"),
        (5, {"type": "str"}, "a text"),
        (None, {"type": "path"}, "a path"),
        (["a"], {"type": "list", "choices": ["a", "b"]}, ""),
        ("a", {"type": "list", "choices": ["a", "b"]}, "a list of a or b"),
        ("a", {"type": "dict"}, "a mapping"),
        ("", {"type": "str", "choices": ["", "b"]}, ""),
        ("c", {"type": "str", "choices": ["", "b"]}, '"" or b'),
    ],
)
def test_types(value: Any, option: dict[str, Any], expected: str) -> None:
    """As Ansible takes them, only that a truth value is no number and no number a text."""
    assert role_options.expected(value, option) == expected


def test_every_role_is_read() -> None:
    """Also those without options: their prefix is taken."""
    declared = role_options.load()
    assert {path.name for path in (ROOT / "roles").iterdir()} == {prefix[:-1] for prefix in declared.prefixes}
    assert set(declared.defaults) < set(declared.options)
