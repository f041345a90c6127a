#!/usr/bin/env bash
# Make the root file system of the Debian base image: rootfs.sh SUITE OUTPUT.tar
#
# Needs root and debootstrap (a Debian or Ubuntu host). Packages come from the archive that this host's apt uses,
# SERINUS_DEBIAN_MIRROR names another one; the image itself names Debian's public archive.
set -euo pipefail

suite=$1
output=$(realpath "$2")
# shellcheck disable=SC2016  # apt expands it, not the shell
mirror=${SERINUS_DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' "Codename: $suite" | head -n 1)}

die() { printf 'debian-base: %s\n' "$*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || die "debootstrap needs root; run as root, or build the other images with an existing base"
command -v debootstrap >/dev/null || die "debootstrap is missing; run: apt-get install debootstrap"

work=$(mktemp --directory "${output%/*}/rootfs.XXXXXX")
trap 'rm -rf "$work"' EXIT
debootstrap --variant=minbase --include=ca-certificates "$suite" "$work" "${mirror:-http://deb.debian.org/debian}" \
  >"$work.log" 2>&1 || die "debootstrap failed; its words are in $work.log"
rm -f "$work.log"

cat >"$work/etc/apt/sources.list" <<EOT
deb http://deb.debian.org/debian $suite main
deb http://deb.debian.org/debian $suite-updates main
deb http://deb.debian.org/debian-security $suite-security main
EOT
# What a container never reads stays out, of later packages too.
cat >"$work/etc/dpkg/dpkg.cfg.d/slim" <<'EOT'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
EOT
find "$work/usr/share/doc" -type f ! -name copyright -delete
rm -rf "$work"/usr/share/{info,locale,man}/* "$work"/var/cache/apt/* "$work"/var/lib/apt/lists/* "$work"/var/log/*
# The host's own names and resolver are no part of an image.
rm -f "$work"/etc/{hostname,resolv.conf}
tar --directory "$work" --exclude './dev/*' --exclude './proc/*' --exclude './sys/*' --sort=name --numeric-owner \
  --create --file "$output" .
