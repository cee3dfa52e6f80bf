"""Return a host to its state before the install: stop, detach, remove, then undo what the host's record says.

The work is a fixed list of stages. Each can say what it finds and can remove that; the plan is what all stages find
now. When applied, every stage looks again (stopping containers makes many of their traces vanish by themselves),
removes, and waits until it finds nothing. The record goes last, so an interrupted reset continues where it was.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.host import record as host_record
from ansible_collections.twinstack.core.plugins.module_utils.host import state as host_state
from ansible_collections.twinstack.core.plugins.module_utils.host.images import store as image_store
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import host as host_probe
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import network

STORE = "/opt/twinstack"
UNITS = ("kubelet.service", image_store.UNITS, "containerd.service")
NETNS = Path("/run/netns")
CGROUPS = ("/sys/fs/cgroup/kubepods.slice", "/sys/fs/cgroup/kubepods")
# Mounts below these (not the directories themselves: they may be an administrator's own file systems).
MOUNT_ROOTS = ("/var/lib/kubelet/", "/var/lib/containerd/", "/run/containerd/", "/run/calico/", "/run/netns/cni-")
# Kubernetes' default directories, containerd's, and the host paths of Calico's manifests.
DIRECTORIES = (
    "/etc/cni",
    "/etc/containerd",
    "/etc/kubernetes",
    "/opt/cni",
    "/opt/containerd",
    "/run/calico",
    "/run/containerd",
    "/run/istio-cni",
    "/run/kubernetes",
    "/run/nodeagent",
    "/run/nri",
    "/run/twinstack",
    "/usr/libexec/kubernetes",
    "/var/lib/calico",
    "/var/lib/cni",
    "/var/lib/containerd",
    "/var/lib/etcd",
    "/var/lib/kubelet",
    "/var/lib/twinstack",
    "/var/log/calico",
    "/var/log/containers",
    "/var/log/kubernetes",
    "/var/log/pods",
)
ROUTE_PROTOCOL = "80"  # Calico's deviceRouteProtocol of VXLAN routes
BIRD_PROTOCOL = "bird"
RULE_PRIORITY = 99  # Calico's wireguardRoutingRulePriority
TABLE_TOOLS = {"iptables-legacy": "ip", "ip6tables-legacy": "ip6", "iptables-nft": "ip", "ip6tables-nft": "ip6"}
SETTLE_SECONDS = 15.0  # namespaces and sets are freed by the kernel a moment after their last user has gone
FSTAB_MARK = "# twinstack: "

Record = dict[str, Any]


class HostResetError(Exception):
    """Something would not go; the message names it and what to try."""


@dataclass(frozen=True)
class Stage:
    """One kind of trace. find: names of what is there now. remove: removes what was found.

    required: when something stays, the reset fails and says so; else it is only reported.
    """

    kind: str
    find: Callable[[Record], list[str]]
    remove: Callable[[Record, list[str]], None]
    required: bool = True


def attempt(argv: Sequence[str], stdin: str = "") -> None:
    """Run a command whose failure shows in what its stage finds afterwards."""
    network.output(argv, timeout=60.0, stdin=stdin)


# --- running things -------------------------------------------------------------------------------------------


def own_units(record: Record) -> list[str]:
    """Kubernetes' units and those whose unit file this project has written."""
    written = [Path(path).name for path, original in record["files"].items() if original is None]
    return sorted({*UNITS, *(name for name in written if name.endswith((".service", ".timer", ".socket", ".path")))})


def parse_units(text: str) -> list[str]:
    """Units that run or start at boot, out of ``systemctl show --property=Id,ActiveState,UnitFileState``."""
    found = []
    for block in text.split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        running = values.get("ActiveState") in ("active", "activating", "reloading", "deactivating")
        if running or values.get("UnitFileState") in ("enabled", "enabled-runtime"):
            found.append(values.get("Id", ""))
    return [name for name in found if name]


def find_units(record: Record) -> list[str]:
    """Own units that run or start at boot."""
    return parse_units(
        network.output(["systemctl", "show", "--property=Id,ActiveState,UnitFileState", *own_units(record)])
    )


def stop_units(_record: Record, names: list[str]) -> None:
    """Stop kubelet first, so that it restarts nothing, containerd last, whose images an import may be using."""
    for name in sorted(names, key=lambda name: (name != "kubelet.service", name == "containerd.service")):
        attempt(["systemctl", "stop", name])
        attempt(["systemctl", "disable", name])  # apart: a transient unit cannot be disabled


def find_cgroups(_record: Record) -> list[str]:
    """The cgroups that hold all pods."""
    return [path for path in CGROUPS if Path(path).is_dir()]


def remove_cgroups(_record: Record, names: list[str]) -> None:
    """Kill all containers at once, then remove their (now empty) cgroups."""
    for name in names:
        with suppress(OSError):
            (Path(name) / "cgroup.kill").write_text("1", encoding="ascii")
        if name.endswith(".slice"):
            attempt(["systemctl", "stop", Path(name).name])
        for folder, _, _ in os.walk(name, topdown=False):
            with suppress(OSError):
                Path(folder).rmdir()


def find_processes(_record: Record) -> list[str]:
    """Program and process id of containerd's shims, which outlive containerd."""
    processes = [item.name for item in Path("/proc").iterdir() if item.name.isdigit()]
    programs = {process: network.program(process) for process in processes}
    return [f"{name} {process}" for process, name in programs.items() if name.startswith("containerd-shim")]


def kill_processes(_record: Record, names: list[str]) -> None:
    """Kill processes by their id."""
    for name in names:
        with suppress(ProcessLookupError):
            os.kill(int(name.split()[-1]), signal.SIGKILL)


# --- mounts and links -----------------------------------------------------------------------------------------


def parse_mounts(text: str) -> list[str]:
    """Own mount points out of /proc/self/mountinfo, the last mounted first."""
    points = [line.split()[4].encode().decode("unicode_escape") for line in text.splitlines()]
    return [point for point in reversed(points) if point.startswith(MOUNT_ROOTS)]


def find_mounts(_record: Record) -> list[str]:
    """Own mount points, the last mounted first."""
    return parse_mounts(host_probe.read("/proc/self/mountinfo"))


def unmount(_record: Record, names: list[str]) -> None:
    """Unmount; what is busy is detached and goes with its last user."""
    attempt(["umount", *names])
    left = find_mounts(_record)
    if left:
        attempt(["umount", "--lazy", *left])


def find_namespaces(_record: Record) -> list[str]:
    """Names of pods' network namespaces, and their folder once it is empty."""
    names = sorted(str(path) for path in NETNS.iterdir()) if NETNS.is_dir() else []
    ours = [name for name in names if Path(name).name.startswith("cni-")]
    return ours if names or not NETNS.is_dir() else [str(NETNS)]


def remove_namespaces(_record: Record, names: list[str]) -> None:
    """Remove the names; the kernel frees a namespace, and its end of the links, with its last user."""
    for name in names:
        if Path(name) != NETNS:
            Path(name).unlink(missing_ok=True)
    if not any(NETNS.iterdir()):
        attempt(["umount", str(NETNS)])  # CNI mounts it onto itself
        with suppress(OSError):
            NETNS.rmdir()


def find_links(_record: Record) -> list[str]:
    """Links of kube-proxy and Calico."""
    links = network.links(network.json_output(["ip", "-j", "-d", "address", "show"]))
    return sorted(name for name in links if host_probe.is_stale_link(name))


def remove_links(_record: Record, names: list[str]) -> None:
    """Delete links; those whose namespace is just going may be gone already."""
    attempt(["ip", "-force", "-batch", "-"], "".join(f"link delete {name}\n" for name in names))


def find_tunnel_addresses(_record: Record) -> list[str]:
    """tunl0 when it holds an address: the kernel's own device stays, its address goes."""
    links = network.links(network.json_output(["ip", "-j", "-d", "address", "show"]))
    return [name for name in ("tunl0",) if links.get(name, {}).get("addresses")]


def flush_tunnel_addresses(_record: Record, names: list[str]) -> None:
    """Take the addresses off and the device down."""
    for name in names:
        attempt(["ip", "address", "flush", "dev", name])
        attempt(["ip", "link", "set", name, "down"])


# --- packet filters -------------------------------------------------------------------------------------------


def find_ipvs(_record: Record) -> list[str]:
    """Virtual services, when there are any."""
    text = host_probe.read("/proc/net/ip_vs")
    services = [line for line in text.splitlines() if line.startswith(("TCP", "UDP", "SCTP", "FWM"))]
    return [f"{len(services)} virtual services"] if services else []


def clear_ipvs(_record: Record, _names: list[str]) -> None:
    """Empty the IPVS table of both families."""
    attempt(["ipvsadm", "--clear"])


def split_tables(text: str) -> dict[str, list[str]]:
    """Lines of an ``iptables-save`` text between a table's header and its COMMIT, by table."""
    tables: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("*"):
            name = line[1:].strip()
            tables[name] = []
        elif name and line and not line.startswith("#") and line != "COMMIT":
            tables[name].append(line)
    return tables


def foreign_lines(lines: Iterable[str]) -> list[str]:
    """Those chains and rules of a table that no cluster made."""
    return [line for line in lines if not network.is_own_rule(line)]


def is_untouched(lines: Iterable[str]) -> bool:
    """True for a table with nothing but built-in chains that accept."""
    return all(line.startswith(":") and line.split()[1] == "ACCEPT" for line in lines)


def restore_text(tables: dict[str, list[str]]) -> str:
    """Input of ``iptables-restore`` for some tables."""
    return "".join(f"*{name}\n" + "".join(f"{line}\n" for line in lines) + "COMMIT\n" for name, lines in tables.items())


def own_tables(tool: str) -> dict[str, list[str]]:
    """Tables of one iptables variant that hold our rules, reduced to what is foreign."""
    if not shutil.which(f"{tool}-save"):
        return {}
    tables = split_tables(network.output([f"{tool}-save", "--counters"]))
    cleaned = {name: foreign_lines(lines) for name, lines in tables.items()}
    return {name: lines for name, lines in cleaned.items() if lines != tables[name]}


def own_nft_tables() -> list[str]:
    """``family name`` of kube-proxy's and Calico's own nft tables."""
    text = network.output(["nft", "-j", "list", "tables"]) if shutil.which("nft") else ""
    items = [item["table"] for item in json.loads(text or "{}").get("nftables", []) if "table" in item]
    return [f"{item['family']} {item['name']}" for item in items if item["name"] in network.OWN_TABLES]


def find_rules(_record: Record) -> list[str]:
    """Tables that hold our rules: legacy, nft through iptables, and our own in nft."""
    names = [f"{tool} {table}" for tool in TABLE_TOOLS for table in own_tables(tool)]
    return [*names, *(f"nft {name}" for name in own_nft_tables())]


def remove_rules(_record: Record, _names: list[str]) -> None:
    """Take our chains and rules out of every table, and leave no empty table that only we made."""
    doomed = [f"delete table {name}\n" for name in own_nft_tables()]
    for tool, family in TABLE_TOOLS.items():
        tables = own_tables(tool)
        if tool.endswith("-nft") and shutil.which("nft"):
            doomed += [f"delete table {family} {name}\n" for name, lines in tables.items() if is_untouched(lines)]
            tables = {name: lines for name, lines in tables.items() if not is_untouched(lines)}
        if tables:
            attempt([f"{tool}-restore", "--counters"], restore_text(tables))
    if doomed:
        attempt(["nft", "-f", "-"], "".join(doomed))


def parse_ipsets(text: str) -> list[str]:
    """Own sets out of ``ipset list -terse``, sets of sets first."""
    names: list[tuple[bool, str]] = []
    for block in text.split("\n\n"):
        values = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        name = values.get("Name", "")
        if name.startswith(("KUBE-", "cali4", "cali6")):
            names.append((values.get("Type") != "list:set", name))
    return [name for _, name in sorted(names)]


def find_ipsets(_record: Record) -> list[str]:
    """Own sets of both families."""
    return parse_ipsets(network.output(["ipset", "list", "-terse"]))


def remove_ipsets(_record: Record, names: list[str]) -> None:
    """Destroy sets; one that is still in use fails alone."""
    attempt(["ipset", "-exist", "restore"], "".join(f"destroy {name}\n" for name in names))
    for name in find_ipsets(_record):
        attempt(["ipset", "destroy", name])


def own_routes(shown: Iterable[dict[str, Any]], bird_is_foreign: bool) -> list[str]:
    """Calico's routes out of ``ip -j route show table all`` as arguments of ``ip route delete``."""
    protocols = {ROUTE_PROTOCOL} if bird_is_foreign else {ROUTE_PROTOCOL, BIRD_PROTOCOL}
    found = []
    for route in shown:
        if str(route.get("protocol")) not in protocols:
            continue
        kind = route.get("type", "unicast")
        device = f" dev {route['dev']}" if "dev" in route and kind == "unicast" else ""
        found.append(f"{kind} {route['dst']}{device} table {route.get('table', 'main')} proto {route['protocol']}")
    return found


def own_ip_rules(shown: Iterable[dict[str, Any]]) -> list[str]:
    """Calico's policy rules out of ``ip -j rule show`` as arguments of ``ip rule delete``."""
    return [
        f"priority {rule['priority']} fwmark {rule['fwmark']}/{rule.get('fwmask', '0xffffffff')}"
        for rule in shown
        if rule.get("priority") == RULE_PRIORITY and "fwmark" in rule
    ]


def find_routes(_record: Record) -> list[str]:
    """Calico's routes and policy rules of both families; a BIRD that still runs is the host's own, with its routes."""
    bird = any(network.program(item.name) == "bird" for item in Path("/proc").iterdir() if item.name.isdigit())
    found = []
    for flag in ("-4", "-6"):
        shown = network.json_output(["ip", "-j", flag, "route", "show", "table", "all"])
        found += [f"{flag} route {route}" for route in own_routes(shown, bird)]
        found += [
            f"{flag} rule {rule}" for rule in own_ip_rules(network.json_output(["ip", "-j", flag, "rule", "show"]))
        ]
    return found


def remove_routes(_record: Record, names: list[str]) -> None:
    """Delete routes and rules family by family."""
    for flag in ("-4", "-6"):
        rows = [name.split(" ", 2)[1:] for name in names if name.startswith(flag)]
        if rows:
            attempt(["ip", flag, "-force", "-batch", "-"], "".join(f"{kind} delete {rest}\n" for kind, rest in rows))


# --- files ----------------------------------------------------------------------------------------------------


def find_directories(_record: Record) -> list[str]:
    """Own directories; one that is a mount point counts only while something is in it."""
    found = []
    for name in DIRECTORIES:
        path = Path(name)
        if path.is_symlink() or not path.is_dir():
            continue
        if not os.path.ismount(name) or any(item.name != "lost+found" for item in path.iterdir()):
            found.append(name)
    return found


def remove_directories(_record: Record, names: list[str]) -> None:
    """Remove directories; a mount point is emptied and stays. Nothing is mounted below them any more."""
    for name in names:
        if not os.path.ismount(name):
            shutil.rmtree(name)
            continue
        for item in Path(name).iterdir():
            if item.name == "lost+found":
                continue
            if item.is_dir() and not item.is_symlink():
                shutil.rmtree(item)
            else:
                item.unlink()


def wanted_sysctls(record: Record) -> dict[str, str]:
    """Runtime values to go back to: recorded originals, else defaults where Kubernetes' own value stands."""
    recorded = {key if "/" in key else key.replace(".", "/"): value for key, value in record["sysctls"].items()}
    wanted = dict(recorded)
    for key, (set_by_kubernetes, default) in host_record.KUBERNETES_SYSCTLS.items():
        if default is not None and key not in recorded and host_state.read_sysctl(key) == set_by_kubernetes:
            wanted[key] = default
    return wanted


def find_sysctls(record: Record) -> list[str]:
    """Keys that the kernel knows and whose value is not the original one; switches that reset others come first."""
    found = []
    for key, value in wanted_sysctls(record).items():
        current = host_state.read_sysctl(key)
        if current is not None and current != value:
            found.append(key)
    # net.ipv4.ip_forward and conf.all.forwarding set all other forwarding values when written.
    return sorted(found, key=lambda key: (not key.endswith(("ip_forward", "conf/all/forwarding")), key))


def restore_sysctls(record: Record, names: list[str]) -> None:
    """Write the original values."""
    wanted = wanted_sysctls(record)
    for key in names:
        with suppress(OSError):
            Path(host_state.sysctl_path(key)).write_text(wanted[key], encoding="ascii")


def without_our_lines(text: str) -> str:
    """A text without our marked blocks, and with the lines back that we had commented out."""
    lines = []
    inside = False
    for line in text.splitlines(keepends=True):
        if line.startswith("# BEGIN twinstack "):
            inside = True
        elif line.startswith("# END twinstack "):
            inside = False
        elif not inside:
            lines.append(line[len(FSTAB_MARK) :] if line.startswith(FSTAB_MARK) else line)
    return "".join(lines)


def original_text(current: str, original: str) -> str:
    """What a file that we had changed goes back to.

    Where only our marked lines were added, those go and other people's later edits stay; else the original returns.
    """
    cleaned = without_our_lines(current)
    return original if cleaned == current or cleaned.rstrip() == original.rstrip() else cleaned


def decoded(original: str) -> str:
    """A recorded file's text."""
    return base64.b64decode(original).decode("utf-8", "surrogateescape")


def find_files(record: Record) -> list[str]:
    """Recorded paths that are not as they were, the deepest first."""
    found: list[str] = []
    for path in sorted(record["files"], key=lambda path: (-path.count("/"), path)):
        original = record["files"][path]
        state, content = host_state.read_state(path)[:2]
        if original is None:
            # A directory with other people's files in it stays.
            others = state == "directory" and any(str(item) not in found for item in Path(path).iterdir())
            if state != "absent" and not others:
                found.append(path)
        elif state != "file" or content != original_text(content, decoded(original)):
            found.append(path)
    return found


def restore_file(name: str, original: str | None) -> None:
    """Put one file back or remove it; an emptied drop-in directory of a unit goes too."""
    path = Path(name)
    if original is not None:
        state, content, mode, _, _ = host_state.read_state(name)
        text = original_text(content, decoded(original)) if state == "file" else decoded(original)
        staged = path.with_name(path.name + ".twinstack-new")
        staged.write_bytes(text.encode("utf-8", "surrogateescape"))
        staged.chmod(mode if state == "file" else 0o644)
        staged.replace(path)
        return
    if path.is_dir() and not path.is_symlink():
        with suppress(OSError):
            path.rmdir()
    else:
        path.unlink(missing_ok=True)
    if path.parent.suffix == ".d" and path.parent.parent == Path("/etc/systemd/system"):
        with suppress(OSError):
            path.parent.rmdir()


def restore_files(record: Record, names: list[str]) -> None:
    """Put files back and forget them: a second look must not undo edits that were made since our first change."""
    for name in names:
        restore_file(name, record["files"][name])
        del record["files"][name]
        if Path(host_record.RECORD_PATH).exists():
            host_record.save(record)
    if any(name.startswith("/etc/systemd/") for name in names):
        attempt(["systemctl", "daemon-reload"])


def find_store(_record: Record) -> list[str]:
    """The store of artifacts, and links into it."""
    links = [path for path in Path("/usr/local/bin").glob("*") if path.is_symlink()]
    found = [str(path) for path in links if os.readlink(path).startswith(f"{STORE}/")]
    return [*sorted(found), *([STORE] if Path(STORE).is_dir() else [])]


def remove_store(_record: Record, names: list[str]) -> None:
    """Remove the links and the store."""
    for name in names:
        path = Path(name)
        if path.is_symlink():
            path.unlink()
        else:
            shutil.rmtree(path)


# --- packages, modules, swap, record --------------------------------------------------------------------------


def parse_packages(text: str) -> list[str]:
    """Packages that are installed or have left configuration, out of dpkg-query's ``package<TAB>status`` lines."""
    rows = (line.split("\t") for line in text.splitlines())
    return sorted(row[0] for row in rows if len(row) == 2 and row[1].strip()[1:2] not in ("n", ""))


def find_packages(record: Record) -> list[str]:
    """Packages that we had installed."""
    if not record["packages"]:
        return []
    query = ["dpkg-query", "--show", "--showformat=${Package}\t${db:Status-Abbrev}\n", *record["packages"]]
    return parse_packages(_output_of_any_status(query))


def _output_of_any_status(argv: Sequence[str]) -> str:
    """Output of a command that also prints something when it fails (dpkg-query with one unknown name)."""
    return network.output(["sh", "-c", '"$@" 2>/dev/null; exit 0', "sh", *argv])


def purge_packages(_record: Record, names: list[str]) -> None:
    """Purge all of them in one call, in the order that dpkg finds right."""
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    host_state.run(["dpkg", "--purge", *names])


def find_modules(record: Record) -> list[str]:
    """Kernel modules that we had loaded."""
    loaded = {line.split()[0] for line in host_probe.read("/proc/modules").splitlines()}
    return [name for name in record["modules"] if name.replace("-", "_") in loaded]


def unload_modules(_record: Record, names: list[str]) -> None:
    """Unload modules; one that something else uses stays."""
    for name in names:
        attempt(["modprobe", "--remove", name])


def find_swap(record: Record) -> list[str]:
    """Swap that we had turned off and that still exists."""
    active = host_state.active_swaps()
    return [name for name in record["swap"] if name not in active and Path(name).exists()]


def turn_on_swap(_record: Record, names: list[str]) -> None:
    """Turn swap on again."""
    for name in names:
        attempt(["swapon", name])


def find_record(_record: Record) -> list[str]:
    """The directory of the record."""
    folder = Path(host_record.RECORD_PATH).parent
    return [str(folder)] if folder.is_dir() else []


def remove_record(_record: Record, names: list[str]) -> None:
    """Remove the record: the reset is complete."""
    for name in names:
        shutil.rmtree(name)


STAGES = (
    Stage("unit", find_units, stop_units),
    Stage("cgroup", find_cgroups, remove_cgroups),
    Stage("process", find_processes, kill_processes),
    Stage("mount", find_mounts, unmount),
    Stage("network namespace", find_namespaces, remove_namespaces),
    Stage("link", find_links, remove_links),
    Stage("tunnel address", find_tunnel_addresses, flush_tunnel_addresses),
    Stage("ipvs", find_ipvs, clear_ipvs),
    Stage("firewall", find_rules, remove_rules),
    Stage("ipset", find_ipsets, remove_ipsets),
    Stage("route", find_routes, remove_routes),
    Stage("directory", find_directories, remove_directories),
    Stage("sysctl", find_sysctls, restore_sysctls),
    Stage("file", find_files, restore_files),
    Stage("package", find_packages, purge_packages),
    Stage("module", find_modules, unload_modules, required=False),
    Stage("swap", find_swap, turn_on_swap),
    Stage("store", find_store, remove_store),
    Stage("record", find_record, remove_record),
)


# --- all of it ------------------------------------------------------------------------------------------------


def is_ours() -> bool:
    """True when this project has installed, or begun to install, on this host."""
    return Path(host_record.RECORD_PATH).exists() or Path(STORE).is_dir()


def plan(record: Record, stages: Sequence[Stage] = STAGES) -> list[tuple[str, str]]:
    """Kind and name of everything that a reset would remove or put back now, in order."""
    return [(stage.kind, name) for stage in stages for name in stage.find(record)]


def clear(stage: Stage, record: Record, settle: float = SETTLE_SECONDS) -> list[str]:
    """Bring one stage to an end: remove what it finds, again if needed, for at most some seconds.

    Returns what stayed; raises HostResetError when that must not be.
    """
    deadline = time.monotonic() + settle
    pause = 0.05
    while True:
        names = stage.find(record)
        if not names:
            return []
        if time.monotonic() > deadline:
            break
        try:
            stage.remove(record, names)
        except (OSError, host_state.HostStateError) as error:
            if time.monotonic() + pause > deadline:
                raise HostResetError(f"{stage.kind}: {error}") from error
        if not stage.required:
            return stage.find(record)
        if stage.find(record):
            time.sleep(pause)
            pause = min(pause * 2, 1.0)
    raise HostResetError(
        f"{stage.kind}: still there after {settle:.0f} s: {', '.join(names[:10])}. "
        "Look for what uses it (fuser, lsof, journalctl), then run the reset again: it continues here"
    )


def apply(record: Record, stages: Sequence[Stage] = STAGES) -> list[str]:
    """Run all stages in order; returns ``kind name`` of what stayed and may stay."""
    return [f"{stage.kind} {name}" for stage in stages for name in clear(stage, record)]
