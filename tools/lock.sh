#!/bin/sh
# Writes requirements/run.txt and dev.txt: versions and hashes of everything that setup.cfg asks for; and docs.txt of docs.in.
# To take up new versions: delete the lines of what should move (or the files), and run it again.
set -eu
cd "$(dirname "$0")/.."
if [ ! -x .venv/bin/pip-compile ]; then
    .venv/bin/pip install --quiet --disable-pip-version-check pip-tools
fi
compile() {
    .venv/bin/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-annotate --no-header \
        --no-emit-index-url --no-emit-trusted-host --no-emit-find-links "$@"
}
compile --output-file requirements/run.txt setup.cfg
compile --extra dev --constraint requirements/run.txt --output-file requirements/dev.txt setup.cfg
compile --output-file requirements/docs.txt requirements/docs.in
compile --constraint requirements/run.txt --output-file requirements/contrib.txt requirements/contrib.in
