#!/usr/bin/env bash
# Make the root file system of the Debian base image: rootfs.sh SUITE OUTPUT.tar
#
# Needs root on a machine with apt. Where debootstrap is not installed it is unpacked for this one use.
# Packages come from the archive that this machine's apt uses, SERINUS_DEBIAN_MIRROR names another; the image
# itself names Debian's own.
set -euo pipefail

suite=$1
output=$(realpath "$2")
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

die() { printf 'debian-base: %s\n' "$*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || die "debootstrap needs root: build as root once, then the image is there for all"
for tool in apt-get dpkg-deb wget; do
  command -v "$tool" >/dev/null || die "$tool is missing; build on a Debian or Ubuntu machine that has it"
done
# shellcheck disable=SC2016  # apt expands it, not the shell
mirror=${SERINUS_DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' "Codename: $suite" | head -n 1)}

work=$(mktemp --directory "${output%/*}/rootfs.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir "$root"

# Unpack a Debian package under $work/tools without installing it.
unpack() {
  mkdir -p "$work/tools"
  (
    cd "$work"
    apt-get download "$1" || { apt-get update && apt-get download "$1"; }
    dpkg-deb -x "$1"_*.deb tools
  ) >"$work/apt.log" 2>&1 || die "cannot fetch the package $1: $(tail -n 3 "$work/apt.log")"
}
debootstrap=debootstrap
if ! command -v debootstrap >/dev/null; then
  unpack debootstrap
  debootstrap=$work/tools/usr/sbin/debootstrap
  export DEBOOTSTRAP_DIR=$work/tools/usr/share/debootstrap
fi
if [ ! -e "$keyring" ]; then
  unpack debian-archive-keyring
  keyring=$work/tools$keyring
fi
# Debian's own archive, as debootstrap knows it.
archive=$(sed -n 's/^DEF_MIRROR="\(.*\)"$/\1/p' "$(command -v "$debootstrap")" | head -n 1)
[ -n "$archive" ] || die "debootstrap names no archive; is it Debian's?"
"$debootstrap" --variant=minbase --include=ca-certificates --keyring="$keyring" --force-check-gpg \
  "$suite" "$root" "${mirror:-$archive}" >"$work/log" 2>&1 ||
  die "debootstrap failed: $(tail -n 5 "$work/log")"

cat >"$root/etc/apt/sources.list" <<EOT
deb $archive $suite main
deb $archive $suite-updates main
deb $archive-security $suite-security main
EOT
# What a container never reads stays out, of later packages too.
cat >"$root/etc/dpkg/dpkg.cfg.d/slim" <<'EOT'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
EOT
find "$root/usr/share/doc" -type f ! -name copyright -delete
rm -rf "$root"/usr/share/{info,locale,man}/* "$root"/var/{cache/apt,lib/apt/lists,log}/*
# The machine's own name and resolver are no part of an image.
rm -f "$root"/etc/{hostname,resolv.conf}
tar --directory "$root" --exclude './dev/*' --exclude './proc/*' --exclude './sys/*' \
  --sort=name --numeric-owner --create --file "$output" .
