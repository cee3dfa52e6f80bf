"""Every host to every other host in both families, all at the same time and in one SSH execution per host.

Each host binds a UDP and a TCP listener on its own address of each family, and the UDP port of VXLAN when the
kernel does not hold it, and talks to its peers until every test has an answer and every peer has said that it is
finished too. A host that never appears only costs the others the deadline.
"""

from __future__ import annotations

import errno
import selectors
import socket
import time
from typing import Any

from ansible_collections.twinstack.core.plugins.module_utils.host.peer_probe.messages import (
    HEADERS,
    MAX_DATAGRAM,
    clock_sample,
    message,
    parse,
)
from ansible_collections.twinstack.core.plugins.module_utils.host.peer_probe.peers import (
    FAMILIES,
    Pair,
    Peer,
    Plan,
    candidate_sizes,
)

SOCKET_FAMILIES = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
# linux/in.h and linux/in6.h; the socket module has no names for them on every Python.
IP_MTU_DISCOVER, IP_MTU, IPV6_MTU_DISCOVER, IPV6_MTU, IPV6_DONTFRAG = 10, 14, 23, 24, 62
PMTUDISC_DO = 2
RETRY_SECONDS = 0.2
TCP_ATTEMPT_SECONDS = 1.0
FULL_TRIES = 4  # unanswered datagrams of one size before a smaller one is tried
LINGER_SECONDS = 2.5  # silence after which a finished host stops waiting for its peers to say that they are, too
GOODBYES = 3


class Exchange:
    """The running probe of one host: its sockets, its pairs and the loop over both."""

    def __init__(self, plan: Plan) -> None:
        """Open the listeners of both families; what cannot be opened is kept as an error by family."""
        self.plan = plan
        self.selector = selectors.DefaultSelector()
        self.bind_errors: dict[str, dict[str, str]] = {family: {} for family in FAMILIES}
        self.listens_vxlan: dict[str, bool] = {}
        self.finished_peers: set[str] = set()
        self.seen: dict[str, float] = {}
        self.heard = 0.0
        self.done = False
        for family in FAMILIES:
            self._listen(family, "udp", plan.port)
            self._listen(family, "tcp", plan.port)
            self.listens_vxlan[family] = self._listen(family, "vxlan", plan.vxlan_port)
        self.pairs = [self._pair(peer, family) for peer in plan.peers for family in FAMILIES]

    def _listen(self, family: str, kind: str, port: int) -> bool:
        """Open one listener; True when it is open."""
        stream = kind == "tcp"
        listener = socket.socket(SOCKET_FAMILIES[family], socket.SOCK_STREAM if stream else socket.SOCK_DGRAM)
        try:
            if family == "ipv6":
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if stream:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setblocking(False)
            listener.bind((self.plan.addresses[family], port))
            if stream:
                listener.listen(64)
        except OSError as error:
            listener.close()
            self.bind_errors[family][kind] = error.strerror or str(error)
            return False
        self.selector.register(listener, selectors.EVENT_READ, ("listen", kind, family))
        return True

    def _pair(self, peer: Peer, family: str) -> Pair:
        """The pair for a peer and a family, with one connected UDP socket per test."""
        address, plan = peer.addresses[family], self.plan
        mtu = plan.mtus.get(family, 0)
        pair = Pair(peer.name, family, (address, plan.port), (address, plan.vxlan_port), mtu)
        pair.sizes = candidate_sizes(mtu) if mtu else []
        for test in ("ping", "full", "vxlan"):
            sender = socket.socket(SOCKET_FAMILIES[family], socket.SOCK_DGRAM)
            sender.setblocking(False)
            if test == "full" and family == "ipv4":
                sender.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_DO)
            elif test == "full":
                sender.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_DO)
                sender.setsockopt(socket.IPPROTO_IPV6, IPV6_DONTFRAG, 1)
            try:
                sender.bind((plan.addresses[family], 0))
                sender.connect(pair.vxlan_target if test == "vxlan" else pair.target)
            except OSError as error:
                sender.close()
                pair.errors[test] = error.strerror or str(error)
                continue
            pair.sockets[test] = sender
            self.selector.register(sender, selectors.EVENT_READ, ("answer", test, pair))
        return pair

    # --- sending ----------------------------------------------------------------------------------------------

    def _is_done(self) -> bool:
        """True when every pair has all its answers."""
        return not any(pair.wanted(self.listens_vxlan[pair.family]) for pair in self.pairs)

    def _values(self, **more: Any) -> dict[str, Any]:
        """What every datagram says about us."""
        return {"cluster": self.plan.cluster, "node": self.plan.node, "done": self.done, **more}

    def _send(self, pair: Pair, test: str, size: int = 0) -> None:
        """Send one ping of a test; errors are kept, the next round tries again."""
        sender = pair.sockets.get(test)
        if sender is None:
            return
        values = self._values(
            kind="ping", test=test, sent=time.time(), size=size, vxlan=self.listens_vxlan[pair.family]
        )
        try:
            sender.send(message(values, max(0, size - HEADERS[pair.family])))
        except OSError as error:
            pair.errors[test] = error.strerror or str(error)
            if test == "full" and error.errno == errno.EMSGSIZE:
                self._smaller(pair, sender)

    def _smaller(self, pair: Pair, sender: socket.socket) -> None:
        """Go on with what the kernel knows as the path's MTU, else with the next smaller size."""
        level, option = (socket.IPPROTO_IP, IP_MTU) if pair.family == "ipv4" else (socket.IPPROTO_IPV6, IPV6_MTU)
        tried = pair.sizes.pop(0)
        pair.tries = 0
        try:
            known = sender.getsockopt(level, option)
        except OSError:
            return
        if 0 < known < tried and known not in pair.sizes:
            pair.sizes = sorted([known, *(size for size in pair.sizes if size < known)], reverse=True)

    def _send_all(self, now: float) -> None:
        """Send what is still unanswered, for those pairs whose time has come."""
        for pair in self.pairs:
            if now < pair.next_send:
                continue
            missing = pair.wanted(self.listens_vxlan[pair.family])
            if not missing and pair.peer in self.finished_peers:
                continue
            pair.next_send = now + RETRY_SECONDS
            if "ping" in missing or not pair.samples or not missing:
                self._send(pair, "ping")
            if "tcp" in missing:
                self._connect(pair, now)
            if not pair.samples:
                continue  # first of all the peer has to be there
            if "full" in missing:
                pair.tries += 1
                if pair.tries > FULL_TRIES:
                    pair.sizes.pop(0)
                    pair.tries = 1
                if pair.sizes:
                    self._send(pair, "full", pair.sizes[0])
            if "vxlan" in missing and pair.peer_vxlan:
                self._send(pair, "vxlan")

    def _connect(self, pair: Pair, now: float) -> None:
        """Start a TCP connection unless one is on its way; one that takes too long is dropped."""
        if "tcp" in pair.sockets:
            if now - pair.tcp_started < TCP_ATTEMPT_SECONDS:
                return
            self._drop_tcp(pair, "no answer")
        client = socket.socket(SOCKET_FAMILIES[pair.family], socket.SOCK_STREAM)
        client.setblocking(False)
        pair.tcp_started = now
        try:
            client.bind((self.plan.addresses[pair.family], 0))
            client.connect(pair.target)
        except BlockingIOError:
            pass
        except OSError as error:
            client.close()
            pair.errors["tcp"] = error.strerror or str(error)
            return
        pair.sockets["tcp"] = client
        self.selector.register(client, selectors.EVENT_WRITE, ("connected", "tcp", pair))

    def _drop_tcp(self, pair: Pair, reason: str) -> None:
        """Give up a TCP attempt."""
        client = pair.sockets.pop("tcp")
        self.selector.unregister(client)
        client.close()
        if reason:
            pair.errors["tcp"] = reason

    # --- receiving --------------------------------------------------------------------------------------------

    def _note(self, values: dict[str, Any]) -> None:
        """Remember that a peer is alive and whether it is finished."""
        self.heard = time.monotonic()
        self.seen[values["node"]] = self.heard
        if values.get("done"):
            self.finished_peers.add(values["node"])

    def _on_listen(self, listener: socket.socket, kind: str, family: str) -> None:
        """Answer whatever waits at a listener."""
        while True:
            try:
                if kind == "tcp":
                    listener.accept()[0].close()
                    continue
                data, sender = listener.recvfrom(MAX_DATAGRAM)
                arrived = time.time()
            except OSError:
                return
            values = parse(data, self.plan.cluster)
            if values is None or values.get("kind") != "ping":
                continue
            self._note(values)
            size = len(data) + HEADERS[family] if values.get("size") else 0
            pong = self._values(kind="pong", test=values.get("test"), sent=values.get("sent"), received=arrived)
            try:
                listener.sendto(message({**pong, "size": size, "vxlan": self.listens_vxlan[family]}), sender)
            except OSError:
                continue  # the pinger tries again

    def _on_answer(self, sender: socket.socket, test: str, pair: Pair) -> None:
        """Take the answers that wait at a test's socket."""
        while True:
            try:
                data = sender.recv(MAX_DATAGRAM)
            except BlockingIOError:
                return
            except OSError as error:
                pair.errors[test] = error.strerror or str(error)  # an ICMP error; the next round tries again
                return
            now = time.time()
            values = parse(data, self.plan.cluster)
            if values is None or values.get("kind") != "pong" or values["node"] != pair.peer:
                continue
            self._note(values)
            pair.peer_vxlan = bool(values.get("vxlan"))
            if test == "ping":
                pair.samples.append(clock_sample(float(values["sent"]), float(values["received"]), now))
                pair.next_send = 0.0
            elif test == "full":
                pair.path_mtu = max(pair.path_mtu, int(values["size"]))
            else:
                pair.vxlan_ok = True

    def _on_connected(self, client: socket.socket, pair: Pair) -> None:
        """A TCP attempt ended, one way or the other."""
        code = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if not code:
            pair.tcp_seconds = max(time.monotonic() - pair.tcp_started, 1e-6)
        self._drop_tcp(pair, errno.errorcode.get(code, str(code)) if code else "")

    # --- the loop ---------------------------------------------------------------------------------------------

    def run(self) -> dict[str, Any]:
        """Talk to the peers until everybody is finished or the deadline has passed; returns the results."""
        started = self.heard = time.monotonic()
        everybody = {peer.name for peer in self.plan.peers}
        while self.pairs:
            now = time.monotonic()
            if now - started > self.plan.deadline:
                break
            self.done = self._is_done()
            if self.done and (everybody <= self.finished_peers or now - self.heard > LINGER_SECONDS):
                self._say_goodbye()
                break
            self._send_all(now)
            for key, _ in self.selector.select(RETRY_SECONDS / 4):
                role, what, subject = key.data
                if role == "listen":
                    self._on_listen(key.fileobj, what, subject)  # type: ignore[arg-type]
                elif role == "answer":
                    self._on_answer(key.fileobj, what, subject)  # type: ignore[arg-type]
                else:
                    self._on_connected(key.fileobj, subject)  # type: ignore[arg-type]
        result = self.result(time.monotonic() - started)
        for key in list(self.selector.get_map().values()):
            self.selector.unregister(key.fileobj)
            key.fileobj.close()  # type: ignore[union-attr]
        self.selector.close()
        return result

    def _say_goodbye(self) -> None:
        """Notify every peer a few times that we are finished, and answer for as long as that takes."""
        for _ in range(GOODBYES):
            for pair in self.pairs:
                self._send(pair, "ping")
            until = time.monotonic() + 0.05
            while time.monotonic() < until:
                for key, _events in self.selector.select(0.02):
                    if key.data[0] == "listen":
                        self._on_listen(key.fileobj, key.data[1], key.data[2])  # type: ignore[arg-type]
                    elif key.data[0] == "answer":
                        self._drain(key.fileobj)  # type: ignore[arg-type]

    @staticmethod
    def _drain(sender: socket.socket) -> None:
        """Throw away answers that nobody needs any more."""
        try:
            while sender.recv(MAX_DATAGRAM):
                pass
        except OSError:
            return

    def result(self, seconds: float) -> dict[str, Any]:
        """What is known now; see the RETURN section of the peer_probe module."""
        peers: dict[str, dict[str, Any]] = {}
        for pair in self.pairs:
            trip, offset = min(pair.samples) if pair.samples else (0.0, 0.0)
            skipped = ""
            if not self.listens_vxlan[pair.family]:
                skipped = f"UDP port {self.plan.vxlan_port} is taken on {self.plan.node}"
            elif pair.peer_vxlan is False:
                skipped = f"UDP port {self.plan.vxlan_port} is taken on {pair.peer}"
            peers.setdefault(pair.peer, {})[pair.family] = {
                "address": pair.target[0],
                "reachable": bool(pair.samples),
                "milliseconds": round(trip * 1000, 3) if pair.samples else None,
                "clock_offset_seconds": round(offset, 6) if pair.samples else None,
                "link_mtu": pair.mtu,
                "path_mtu": pair.path_mtu,
                "tcp": bool(pair.tcp_seconds),
                "vxlan": pair.vxlan_ok,
                "vxlan_skipped": skipped,
                "errors": pair.errors,
            }
        return {
            "peers": peers,
            "bind_errors": {family: errors for family, errors in self.bind_errors.items() if errors},
            "seen": sorted(self.seen),
            "seconds": round(seconds, 2),
        }
