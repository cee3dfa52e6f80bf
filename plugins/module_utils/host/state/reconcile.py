"""The desired state of one host, compared and applied in one go: packages, files, modules, sysctls, swap, units.

The order is fixed because each part may need the one before it: a unit needs its file, a file may belong to a
package's directory, a sysctl may only exist once a kernel module is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.twinstack.core.plugins.module_utils.host import record as host_record
from ansible_collections.twinstack.core.plugins.module_utils.host.state.desired import DesiredState, Step
from ansible_collections.twinstack.core.plugins.module_utils.host.state.files import file_steps
from ansible_collections.twinstack.core.plugins.module_utils.host.state.kernel import (
    module_steps,
    remember_sysctls,
    sysctl_steps,
)
from ansible_collections.twinstack.core.plugins.module_utils.host.state.packages import package_steps
from ansible_collections.twinstack.core.plugins.module_utils.host.state.swap import swap_steps
from ansible_collections.twinstack.core.plugins.module_utils.host.state.units import unit_steps


def reconcile(desired: DesiredState, check_mode: bool) -> list[Step]:
    """Bring the host to the desired state and return the steps taken (or, in check mode, that would be taken)."""
    record = host_record.load()
    done: list[Step] = []
    if desired.cluster and record["cluster"] != desired.cluster and not check_mode:
        record["cluster"] = desired.cluster  # first of all: the host is no bare host from here on
        host_record.save(record)

    def take(steps: Sequence[Step]) -> None:
        for step in steps:
            if not check_mode:
                step.apply()
            done.append(step)

    take(package_steps(desired, record))
    take(file_steps(desired.files, record))
    take(module_steps(desired.modules, record))
    if desired.cluster and not check_mode:
        remember_sysctls(record)  # once modules are loaded, before anything runs that changes them
    take(sysctl_steps(desired.sysctls, record))
    take(swap_steps(desired.swap_off, record))
    changed_paths = {step.name for step in done if step.kind == "file"}
    take(unit_steps(desired.units, record, changed_paths))
    return done
