#!/bin/sh
# Serves http://127.0.0.1:8080/cimi/ with its state under ./var; the first run makes an admin.
set -eu
cd "$(dirname "$0")/.."
mkdir -p var/images
if [ ! -e var/gateway.toml ]; then
    cat >var/gateway.toml <<TOML
[server]
listen = "127.0.0.1:8080"
[store]
path = "gateway.db"
[auth]
users_file = "users"
[images]
directories = ["images"]
[[hypervisor]]
name = "local"
uri = "qemu:///system"
pool = "default"
network = "default"
domain_type = "auto"
TOML
fi
if [ ! -e var/users ]; then
    password=$(.venv/bin/python -c 'import secrets; print(secrets.token_urlsafe(12))')
    echo "$password" | .venv/bin/cimi-gateway user add admin --role admin --config var/gateway.toml >/dev/null
    echo "user admin, password $password (shown only now)"
fi
echo "serving http://127.0.0.1:8080/cimi/"
exec .venv/bin/cimi-gateway serve --config var/gateway.toml
