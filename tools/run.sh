#!/bin/sh
# Serves http://127.0.0.1:8080/cimi/ with its state under ./var; the first run makes an admin.
# STATE and LISTEN put another gateway beside it: LISTEN is written into its configuration by the first run.
set -eu
cd "$(dirname "$0")/.."
STATE=${STATE:-var}
LISTEN=${LISTEN:-127.0.0.1:8080}
mkdir -p "$STATE/images"
if [ ! -e "$STATE/gateway.toml" ]; then
    cat >"$STATE/gateway.toml" <<TOML
[server]
listen = "$LISTEN"
[store]
path = "gateway.db"
[auth]
users_file = "users"
[images]
directories = ["images"]
catalog = "$PWD/etc/catalog.toml"
[[hypervisor]]
name = "local"
uri = "qemu:///system"
pool = "default"
network = "default"
domain_type = "auto"
TOML
fi
url="http://$(sed -n 's/^listen = "\(.*\)"$/\1/p' "$STATE/gateway.toml" | head -n 1)/cimi/"
echo "serving $url"
if [ ! -e "$STATE/users" ]; then
    password=$(.venv/bin/python -c 'import secrets; print(secrets.token_urlsafe(12))')
    echo "$password" | .venv/bin/cimi-gateway user add admin --role admin --config "$STATE/gateway.toml" >/dev/null
    echo
    echo "user admin, password $password (shown only now)"
    echo "another one gives: .venv/bin/cimi-gateway user passwd admin --config $STATE/gateway.toml"
fi
image="debian:13"
if [ -e "$STATE/images/demo.qcow2" ]; then image=demo; fi
cat <<WORDS

Next, in another terminal:
  .venv/bin/cimi login $url --user admin          # asks for the password
  .venv/bin/cimi launch $image web1 --key ~/.ssh/id_ed25519.pub --ssh
\`cimi image catalog\` names the images; \`make guest\` builds a small one, for hosts without the internet.

WORDS
exec .venv/bin/cimi-gateway serve --config "$STATE/gateway.toml"
