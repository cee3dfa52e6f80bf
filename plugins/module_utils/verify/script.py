"""One batch: what is written to the standard input of one shell that does many probes at once.

The shell may be in a pod or on the controller; it needs a POSIX sh, curl, and dig or drill; ping is a bonus. Its
answer is lines of ``<file>:<text>``, where the file names the probe: b1 is the answer to request 1, q2 the output of
question 2, p3 that of ping 3, r4 the packet filter's rules for probe 4,
``curl`` what curl wrote about every request, ``ip_vs`` the kernel's table.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

from ansible_collections.twinstack.core.plugins.module_utils.families import family_of
from ansible_collections.twinstack.core.plugins.module_utils.verify.model import (
    Action,
    Fetch,
    Ping,
    Query,
    Redirects,
)

SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
LARGE_BYTES = 131072  # some ninety full-size packets each way: enough for a path MTU black hole to show
CONNECT_SECONDS = 2
REQUEST_SECONDS = 5
PATIENT_SECONDS = 30
TOKEN_MARK = "@TOKEN@"
END_MARK = "@END@"
# Bytes of headers around the payload of an echo request: IP + ICMP.
ECHO_OVERHEAD = {"IPv4": 20 + 8, "IPv6": 40 + 8}
IPTABLES = {"IPv4": "iptables", "IPv6": "ip6tables"}
# What curl reports per request, tab separated, after the probe's number.
CURL_FIELDS = (
    "http_code",
    "exitcode",
    "time_total",
    "local_ip",
    "remote_ip",
    "size_upload",
    "size_download",
    "errormsg",
)

_TEMPLATE = r"""
d=$(mktemp -d) || exit 1
trap 'rm -rf "$d"' EXIT
sed -n '/^@END@$/q;p' >"$d/in"
cd "$d" || exit 1
while read -r what key text; do
  if [ "$what" = A ]; then printf %s "$text" | base64 -d >"authority$key"; fi
done <in
token=$(cat @ACCOUNT@/token 2>/dev/null)
sed -n 's/^C //p' in | sed "s|@TOKEN@|$token|" >config
printf msg= >large
head -c 5 /dev/zero >export
head -c @LARGE@ /dev/zero | tr '\000' a >>large
export LC_ALL=C RES_OPTIONS='timeout:1 attempts:2'
if [ -s config ]; then
  curl -q --no-progress-meter --parallel --parallel-immediate --parallel-max 40 --config config >curl 2>curl_errors &
fi
ask() {
  if command -v dig >/dev/null 2>&1; then dig +time=2 +tries=1 "@$1" "$3" "$2"
  elif command -v drill >/dev/null 2>&1; then timeout 3 drill "$3" "@$1" "$2" || echo ";; no answer in time"
  else echo ";; found neither dig nor drill in the image"
  fi
}
question() {
  if [ "$1" != resolv.conf ]; then ask "$@"; return; fi
  for server in $(sed -n 's/^nameserver //p' /etc/resolv.conf); do
    ask "$server" "$2" "$3" >"auto$4"
    cat "auto$4"
    if grep -q 'NOERROR' "auto$4"; then break; fi
  done
}
iputils=$(ping -V 2>/dev/null | grep iputils)
echo_request() {
  if [ -z "$iputils" ]; then echo 'found no iputils ping in the image'; return; fi
  dev=eth0
  if [ "$4" != own ]; then dev=$(ip route get "$2" 2>/dev/null | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1); fi
  mtu=$(cat "/sys/class/net/$dev/mtu" 2>/dev/null)
  if [ -z "$mtu" ]; then echo "ping: found no interface towards $2"; return; fi
  echo "mtu $mtu"
  ping "$1" -n -c 1 -W 1 -M do -s $((mtu - $3)) "$2" 2>&1
}
rules() {
  for save in "$1-save" "$1-legacy-save"; do
    if command -v "$save" >/dev/null 2>&1; then "$save" -t nat; fi
  done
  if command -v nft >/dev/null 2>&1; then nft list ruleset inet; fi
}
while read -r what key a b c e; do
  case $what in
    Q) question "$a" "$b" "$c" "$key" >"q$key" 2>&1 & ;;
    P) echo_request "$a" "$b" "$c" "$e" "$key" >"p$key" 2>&1 & ;;
    R) rules "$a" >"r$key" 2>&1 & ;;
  esac
done <in
wait
cat /proc/net/ip_vs >ip_vs 2>/dev/null
grep -H '' curl curl_errors ip_vs b* q* p* r* 2>/dev/null
echo @END@
"""
SCRIPT = _TEMPLATE.replace("@ACCOUNT@", SERVICE_ACCOUNT).replace("@LARGE@", str(LARGE_BYTES)).strip()


def batch(actions: Mapping[int, Action]) -> str:
    """The input for `SCRIPT` that carries out these actions, keyed by a number of the caller's choice.

    Actions that only read the kernel's tables need no line: the tables come with every answer.
    """
    lines: list[str] = []
    requests = [(key, action) for key, action in actions.items() if isinstance(action, Fetch)]
    for position, (key, action) in enumerate(requests):
        if position:
            lines.append("C next")
        lines += [f"C {line}" for line in curl_config(key, action)]
        if action.authority:
            lines.append(f"A {key} {base64.b64encode(action.authority.encode()).decode()}")
    for key, item in actions.items():
        if isinstance(item, Query):
            lines.append(f"Q {key} {item.server or 'resolv.conf'} {item.kind} {item.name}")
        elif isinstance(item, Ping):
            family = family_of(item.address)
            own = "own" if item.own_mtu else "route"
            lines.append(f"P {key} -{family[-1]} {item.address} {ECHO_OVERHEAD[family]} {own}")
        elif isinstance(item, Redirects):
            lines.append(f"R {key} {IPTABLES[item.family]}")
    return "\n".join([*lines, END_MARK, ""])


def curl_config(key: int, fetch: Fetch) -> list[str]:
    """One request as lines of a curl configuration file."""
    report = "\\t".join([str(key), *(f"%{{{name}}}" for name in CURL_FIELDS)])
    lines = [
        f'url = "{fetch.url}"',
        f'write-out = "{report}\\n"',
        f'output = "b{key}"',
        f"connect-timeout = {PATIENT_SECONDS if fetch.patient else CONNECT_SECONDS}",
        f"max-time = {PATIENT_SECONDS if fetch.patient else REQUEST_SECONDS}",
        'noproxy = "*"',
        "silent",
        "globoff",
    ]
    if fetch.family:
        lines.append(fetch.family.lower())
    if fetch.large:
        lines += ['data-binary = "@large"', 'header = "Expect:"']
        lines[2] = 'output = "/dev/null"'
    if fetch.export:
        # A gRPC message without a byte in it: one byte for no compression, four for its length (grpc: PROTOCOL-HTTP2).
        lines += ['data-binary = "@export"', 'header = "Content-Type: application/grpc"', 'header = "TE: trailers"']
        # The answer is as binary; its status is among the headers that follow it.
        lines += ["http2-prior-knowledge", f'dump-header = "b{key}"']
        lines[2] = 'output = "/dev/null"'
    if fetch.headers:
        lines.append("include")
    if fetch.connect_to:
        lines.append(f'connect-to = "::{fetch.connect_to}"')
    if fetch.url.startswith("https:"):
        authority = f"authority{key}" if fetch.authority else f"{SERVICE_ACCOUNT}/ca.crt"
        lines.append(f'cacert = "{authority}"' if fetch.verify else "insecure")
    lines += [f'header = "{text}"' for text in fetch.send]
    if fetch.token:
        lines.append(f'header = "Authorization: Bearer {TOKEN_MARK}"')
    return lines
