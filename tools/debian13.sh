#!/bin/sh
# Makes a second virtual environment, with Debian 13's versions of the libraries. Its place is the first argument.
set -eu
cd "$(dirname "$0")/.."
venv=${1:?the place of the virtual environment}
if [ ! -e "$venv/ready" ] || [ setup.cfg -nt "$venv/ready" ] || [ requirements/debian13.txt -nt "$venv/ready" ]; then
    "${PYTHON:-python3}" -m venv "$venv"
    # The tools of the lock file, and instead of its libraries Debian's.
    plain=$(mktemp)
    trap 'rm -f "$plain"' EXIT
    grep -E '^[a-z]' requirements/dev.txt | sed 's/ .*//' >"$plain"
    names=$(sed -n 's/^\([a-z-]*\)==.*/\1|/p' requirements/debian13.txt | tr -d '\n')
    # What an older aiohttp needs in its turn is older too: pip chooses it.
    grep -vE "^(${names}multidict|yarl|propcache|frozenlist|aiosignal|aiohappyeyeballs)==" "$plain" >"$plain.rest"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r requirements/debian13.txt -r "$plain.rest"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --editable . --editable client
    rm -f "$plain.rest"
    touch "$venv/ready"
fi
