"""What a module does in check mode and shows with C(--diff)."""

from __future__ import annotations


class ModuleDocFragment:
    """Each module says how far it goes."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Reports whether it would change anything, and changes nothing.
"""

    DIFF = r"""
attributes:
  diff_mode:
    description: Shows what it changes, or would change, with C(--diff).
"""
