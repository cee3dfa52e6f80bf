#!/usr/bin/python
# Apache-2.0
"""Test one host's connectivity to all other hosts in both families."""

from __future__ import annotations

DOCUMENTATION = r"""
module: peer_probe
short_description: Test every host against every other host in both families, all at once
version_added: 0.1.0
description:
  - "All hosts run it in the same task: each listens, answers and sends until every test has an answer and every peer
    is finished, or until O(deadline). One SSH execution per host whatever their number."
  - "Tested per peer and family: reachability by UDP and TCP, round-trip time, clock offset, path MTU with full-size
    packets that must not be fragmented, and UDP on the VXLAN port unless something holds that port already."
  - The number of forks must be at least the number of hosts; hosts that start after the deadline of the first
    ones find no peer.
  - Nothing stays behind on the host.
options:
  cluster:
    description: Name that distinguishes this cluster's probes from others on the same network.
    type: str
    required: true
  node:
    description: This host's name, as the peers know it.
    type: str
    required: true
  ipv4:
    description: This host's IPv4 address.
    type: str
    required: true
  ipv6:
    description: This host's IPv6 address.
    type: str
    required: true
  peers:
    description: All hosts; this host itself is left out by its name.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The peer's name.
        type: str
        required: true
      ipv4:
        description: The peer's IPv4 address.
        type: str
        required: true
      ipv6:
        description: The peer's IPv6 address.
        type: str
        required: true
  port:
    description: UDP and TCP port that is used for the seconds that the test takes.
    type: int
    default: 24789
  vxlan_port:
    description: UDP port of VXLAN.
    type: int
    default: 4789
  deadline:
    description: Seconds after which a host stops waiting for answers.
    type: float
    default: 15.0
attributes:
  check_mode:
    support: full
    details: Changes nothing.
extends_documentation_fragment:
  - twinstack.core.attributes
author:
  - The Twinstack developers
"""

EXAMPLES = r"""
- name: Test every host against every other host
  twinstack.core.peer_probe:
    cluster: "{{ twinstack_cluster_name }}"
    node: "{{ inventory_hostname }}"
    ipv4: "{{ ipv4 }}"
    ipv6: "{{ ipv6 }}"
    peers: "{{ __preflight_peers }}"
  register: __preflight_peer_result
"""

RETURN = r"""
peers:
  description: >-
    By peer and family, C(address), C(reachable), C(milliseconds), C(clock_offset_seconds) (the peer's clock minus
    ours), C(link_mtu), C(path_mtu) (0 when no size got through), C(tcp), C(vxlan), C(vxlan_skipped) (why the VXLAN
    port was not tested), C(errors).
  returned: always
  type: dict
bind_errors:
  description: By family, listeners that could not be opened and why.
  returned: always
  type: dict
seen:
  description: Peers that were heard at all.
  returned: always
  type: list
seconds:
  description: How long it took.
  returned: always
  type: float
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twinstack.core.plugins.module_utils.host.peer_probe.exchange import Exchange
from ansible_collections.twinstack.core.plugins.module_utils.host.peer_probe.peers import (
    FAMILIES,
    Peer,
    Plan,
    link_mtus,
)
from ansible_collections.twinstack.core.plugins.module_utils.host.probe import network as host_probe_network


def main() -> None:
    """Entry point of the module."""
    family = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "cluster": {"type": "str", "required": True},
            "node": {"type": "str", "required": True},
            "ipv4": family,
            "ipv6": family,
            "peers": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {"name": {"type": "str", "required": True}, "ipv4": family, "ipv6": family},
            },
            "port": {"type": "int", "default": 24789},
            "vxlan_port": {"type": "int", "default": 4789},
            "deadline": {"type": "float", "default": 15.0},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    addresses = {name: wanted[name] for name in FAMILIES}
    links = host_probe_network.links(host_probe_network.json_output(["ip", "-j", "-d", "address", "show"]))
    plan = Plan(
        cluster=wanted["cluster"],
        node=wanted["node"],
        addresses=addresses,
        peers=tuple(
            Peer(peer["name"], {name: peer[name] for name in FAMILIES})
            for peer in wanted["peers"]
            if peer["name"] != wanted["node"]
        ),
        port=wanted["port"],
        vxlan_port=wanted["vxlan_port"],
        mtus=link_mtus(addresses, links),
        deadline=wanted["deadline"],
    )
    module.exit_json(changed=False, **Exchange(plan).run())


if __name__ == "__main__":
    main()
