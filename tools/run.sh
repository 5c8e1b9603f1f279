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
socket = "socket"
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
# Those of before there was a socket get one.
grep -q '^socket = ' "$STATE/gateway.toml" || sed -i '/^listen = /a socket = "socket"' "$STATE/gateway.toml"
url="http://$(sed -n 's/^listen = "\(.*\)"$/\1/p' "$STATE/gateway.toml" | head -n 1)/cimi/"
echo "serving $url"
if [ ! -e "$STATE/users" ]; then
    .venv/bin/cimi-gateway user add admin --role admin --no-password --config "$STATE/gateway.toml" >/dev/null
fi
socket=$(cd "$STATE" && pwd)/socket
image="debian:13"
if [ -e "$STATE/images/demo.qcow2" ]; then image=demo; fi
cat <<WORDS

Next, in another terminal:
  .venv/bin/cimi login unix:$socket          # root on this host needs no password
  .venv/bin/cimi launch $image web1 --key ~/.ssh/id_ed25519.pub --ssh
For curl and from elsewhere, a token of the user admin:
  .venv/bin/cimi-gateway token add admin --expires 30d --config $STATE/gateway.toml
\`cimi image catalog\` names the images; \`make guest\` builds a small one, for hosts without the internet.

WORDS
exec .venv/bin/cimi-gateway serve --config "$STATE/gateway.toml"
