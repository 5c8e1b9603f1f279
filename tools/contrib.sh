#!/bin/sh
# Makes the environment in which contrib is tried: Libcloud, Ansible and what the client library needs, in .venv-contrib.
set -eu
cd "$(dirname "$0")/.."
venv=.venv-contrib
if [ ! -e "$venv/ready" ] || [ requirements/contrib.txt -nt "$venv/ready" ]; then
    "${PYTHON:-python3}" -m venv "$venv"
    "$venv/bin/pip" install -qq --disable-pip-version-check --require-hashes -r requirements/contrib.txt
    touch "$venv/ready"
fi
