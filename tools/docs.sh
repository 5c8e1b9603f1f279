#!/bin/sh
# Builds the site of the documentation into build/site, with the tool of requirements/docs.txt in an environment of its own.
set -eu
cd "$(dirname "$0")/.."
venv=.venv-docs
if [ ! -e "$venv/ready" ] || [ requirements/docs.txt -nt "$venv/ready" ]; then
    echo "docs: making the environment $venv" >&2
    "${PYTHON:-python3}" -m venv "$venv"
    "$venv/bin/pip" install -qq --disable-pip-version-check --require-hashes -r requirements/docs.txt
    touch "$venv/ready"
fi
PYTHONPATH=client .venv/bin/python -m tools.site build/pages
"$venv/bin/sphinx-build" -W --keep-going -q -b html build/pages build/site
echo "build/site/index.html"
