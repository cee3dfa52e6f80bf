#!/bin/sh
# Regenerates py311.txt and py312.txt from base.in and dev.in: requirements/lock.sh PYTHON311 PYTHON312 [pip-compile option ...]
# Run it after a change of a .in file, and with --upgrade to take newer versions of what is not pinned there.
set -eu
[ $# -ge 2 ] || { echo "usage: $0 PYTHON311 PYTHON312 [pip-compile option ...]" >&2; exit 2; }
cd "$(dirname "$0")"
python311=$1 python312=$2
shift 2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
unset PIP_FIND_LINKS

# lock PYTHON FILE [option ...]: resolve for that interpreter and write FILE.
lock() {
    python=$1 file=$2
    shift 2
    "$python" -m venv "$scratch/$file"
    "$scratch/$file/bin/pip" install --quiet --upgrade pip pip-tools
    CUSTOM_COMPILE_COMMAND="requirements/lock.sh PYTHON311 PYTHON312" "$scratch/$file/bin/pip-compile" \
        --quiet --generate-hashes --allow-unsafe --strip-extras \
        --no-emit-find-links --no-emit-index-url --no-emit-trusted-host "$@" --output-file "$file" dev.in
}

lock "$python311" py311.txt "$@"
lock "$python312" py312.txt "$@"
