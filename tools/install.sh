#!/bin/sh
# Installs the gateway, or takes it away: `make install` and `make uninstall`. PYTHON, DESTDIR and PREFIX come from make,
# LIBRARIES from debian/rules: newest (pip's choice), locked (as in requirements/run.txt, without libvirt's), or none.
# What an admin may have changed in /etc is never touched; whatever else was installed before is replaced as a whole.
set -eu
cd "$(dirname "$0")/.."
library=$PREFIX/lib/cimi-gateway # The program with its libraries, apart from the system's own Python packages.
documents=$PREFIX/share/doc/cimi-gateway
manuals=$PREFIX/share/man/man1
bash=$PREFIX/share/bash-completion/completions
zsh=$PREFIX/share/zsh/site-functions
fish=$PREFIX/share/fish/vendor_completions.d
units=/usr/lib/systemd/system
settings=/etc/cimi-gateway

# In a clean copy: what an earlier build left in the checkout would be taken for a part of the program.
build() {
    "$PYTHON" -m pip --version >/dev/null 2>&1 || {
        echo "make install: $PYTHON has no pip; README.md, \"As a service\", names the packages it needs" >&2
        exit 1
    }
    source=$(mktemp -d)
    trap 'rm -rf "$source"' EXIT
    cp -R setup.cfg pyproject.toml README.md gateway drivers conformance client "$source"
    rm -rf "$DESTDIR$library.new"
    case ${LIBRARIES:-newest} in
    newest) pip_install "$source" "$source/client" ;;
    locked)
        awk '/^libvirt-python==/ { skip = 1 } !skip { print } !/\\$/ { skip = 0 }' requirements/run.txt >"$source/locked.txt"
        pip_install --no-deps --require-hashes --only-binary :all: -r "$source/locked.txt"
        pip_install --no-deps --no-build-isolation "$source" "$source/client"
        ;;
    none) pip_install --no-deps --no-build-isolation "$source" "$source/client" ;;
    *) echo "install.sh: LIBRARIES is newest, locked or none, not $LIBRARIES" >&2 && exit 2 ;;
    esac
}

pip_install() {
    "$PYTHON" -m pip install --quiet --disable-pip-version-check --target "$DESTDIR$library.new" "$@"
}

# Aside, then in one step into place: a running service goes on to load modules from here.
replace() {
    rm -rf "$DESTDIR$library.old"
    if [ -e "$DESTDIR$library" ]; then mv "$DESTDIR$library" "$DESTDIR$library.old"; fi
    mv "$DESTDIR$library.new" "$DESTDIR$library"
    rm -rf "$DESTDIR$library.old"
}

# -P: the working directory is no place to load code from, least of all for root.
program() {
    install -d "$DESTDIR$PREFIX/bin"
    for name in cimi-gateway:gateway cimi:cimi_command; do
        target=$DESTDIR$PREFIX/bin/${name%:*}
        printf '#!/bin/sh\nPYTHONPATH=%s exec %s -P -m %s "$@"\n' "$library" "$PYTHON" "${name#*:}" >"$target"
        chmod 0755 "$target"
    done
}

system_files() {
    install -Dm 0644 systemd/cimi-gateway.service "$DESTDIR$units/cimi-gateway.service"
    sed -i "s|/usr/bin/cimi-gateway|$PREFIX/bin/cimi-gateway|; s|/usr/share/doc/cimi-gateway|$documents|" \
        "$DESTDIR$units/cimi-gateway.service"
    install -Dm 0644 systemd/cimi-gateway.socket "$DESTDIR$units/cimi-gateway.socket"
    install -Dm 0644 systemd/cimi-gateway.sysusers.conf "$DESTDIR/usr/lib/sysusers.d/cimi-gateway.conf"
    install -Dm 0644 systemd/cimi-gateway.tmpfiles.conf "$DESTDIR/usr/lib/tmpfiles.d/cimi-gateway.conf"
    install -Dm 0644 etc/60-cimi-gateway.rules "$DESTDIR/usr/share/polkit-1/rules.d/60-cimi-gateway.rules"
}

documentation() {
    rm -rf "$DESTDIR$documents"
    install -d "$DESTDIR$documents/docs"
    install -m 0644 README.md CHANGELOG.md etc/gateway.toml "$DESTDIR$documents"
    install -m 0644 docs/*.md "$DESTDIR$documents/docs"
    for name in cimi-gateway cimi; do
        install -Dm 0644 "man/$name.1" "$DESTDIR$manuals/$name.1"
        install -Dm 0644 "man/$name.bash" "$DESTDIR$bash/$name"
    done
    install -Dm 0644 man/cimi.zsh "$DESTDIR$zsh/_cimi"
    install -Dm 0644 man/cimi.fish "$DESTDIR$fish/cimi.fish"
}

# The group exists once systemd-sysusers has run; before that, systemd-tmpfiles gives it the files.
configuration() {
    group=root
    if [ -z "$DESTDIR" ] && getent group cimi-gateway >/dev/null; then group=cimi-gateway; fi
    [ -d "$DESTDIR$settings" ] || install -d -m 0750 "$DESTDIR$settings"
    for name in gateway.toml catalog.toml; do
        [ ! -e "$DESTDIR$settings/$name" ] || continue
        install -m 0640 "etc/$name" "$DESTDIR$settings/$name"
        if [ "$group" != root ]; then chgrp "$group" "$settings" "$settings/$name"; fi
    done
}

uninstall() {
    rm -rf "$DESTDIR$library" "$DESTDIR$documents"
    for name in cimi-gateway cimi; do
        rm -f "$DESTDIR$PREFIX/bin/$name" "$DESTDIR$manuals/$name.1" "$DESTDIR$bash/$name"
    done
    rm -f "$DESTDIR$zsh/_cimi" "$DESTDIR$fish/cimi.fish" "$DESTDIR$units/cimi-gateway.service" \
        "$DESTDIR$units/cimi-gateway.socket" "$DESTDIR/usr/lib/sysusers.d/cimi-gateway.conf" "$DESTDIR/usr/lib/tmpfiles.d/cimi-gateway.conf" \
        "$DESTDIR/usr/share/polkit-1/rules.d/60-cimi-gateway.rules"
    echo "kept: $settings, /var/lib/cimi-gateway, /var/cache/cimi-gateway and the user cimi-gateway;"
    echo "in libvirt the pool cimi-console and the filters cimi-guard*: docs/operations.md says how they go"
}

case $1 in
install)
    build
    replace
    program
    system_files
    documentation
    configuration
    ;;
uninstall) uninstall ;;
*) echo "install.sh: install or uninstall, not $1" >&2 && exit 2 ;;
esac
