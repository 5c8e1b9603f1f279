#!/bin/sh
# Builds the Debian packages for the release that this runs on, into dist/: `make deb`. Needs what debian/control names
# (apt-get build-dep . installs it); lintian looks at the packages where it is installed.
set -eu
cd "$(dirname "$0")/.."
target=$PWD/dist
release=$(. /etc/os-release && echo "$VERSION_ID")
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

# In a clean copy of what belongs to the source.
mkdir "$build/cimi-gateway"
cp -R CHANGELOG.md LICENSE README.md Makefile pyproject.toml setup.cfg client conformance debian demo docs drivers etc gateway man \
    requirements systemd tools "$build/cimi-gateway"
find "$build" -name __pycache__ -prune -exec rm -r {} +
cd "$build/cimi-gateway"
# Each release's packages have a version of their own, and the next release's is the higher one.
sed -i "1s/(\(.*\)) [a-z]*;/(\1~deb${release}u${DEB_REVISION:-1}) unstable;/" debian/changelog
dpkg-buildpackage --build=binary --no-sign
if command -v lintian >/dev/null; then
    lintian --allow-root --fail-on error,warning --tag-display-limit 0 ../*.changes
else
    echo "deb.sh: lintian is not installed: nobody has looked at the packages" >&2
fi
mkdir -p "$target"
cp ../*.deb "$target"
ls -l "$target"/*.deb
