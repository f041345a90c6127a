#!/usr/bin/env bash
# Take back what setup.sh did on this machine, and nothing else.
#
# Images and containers (/var/lib/docker) stay unless --purge-data says otherwise: they may hold other work.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$here/lib.sh"

purge_data=false
case "${1:-}" in
"") ;;
--purge-data) purge_data=true ;;
*) die "usage: undo.sh [--purge-data]" ;;
esac

unregister_runtime() {
  local pid former
  # Reading its settings again, a daemon keeps what they no longer name: it has to be told the former runtime.
  if pid=$(daemon_pid) && answers; then
    former=$(former_runtime)
    use_runtime "$(system_python)" "$pid" "$former" || die "the daemon $pid did not go back to $former within 15 s"
  fi
  if [ -e "$STATE/daemon.json.before" ]; then
    cp "$STATE/daemon.json.before" "$DAEMON_JSON"
  else
    rm -f "$DAEMON_JSON"
  fi
  rm -f "$RUNTIME"
  rmdir --ignore-fail-on-non-empty "$(dirname "$RUNTIME")" "$(dirname "$DAEMON_JSON")" 2>/dev/null || true
  say "unregistered the runtime"
}

former_runtime() {
  local before=$STATE/daemon.json.before
  if [ -e "$before" ]; then
    "$(system_python)" - "$before" <<'PYTHON'
import json, sys
print(json.load(open(sys.argv[1])).get("default-runtime", "runc"))
PYTHON
  else
    echo runc
  fi
}

# A zombie is gone too, where nobody reaps it.
gone() { ! readlink "/proc/$1/exe" >/dev/null; }

stop_daemon() {
  local pid
  if [ -s "$PIDFILE" ] && pid=$(cat "$PIDFILE") && kill -0 "$pid" 2>/dev/null; then
    kill -TERM "$pid"
    wait_for 60 "stopped dockerd $pid" gone "$pid" || die "dockerd $pid did not stop within 60 s; its log: $LOG"
  fi
  rm -f "$PIDFILE" "$LOG"
  remove_network
}

# dockerd leaves its bridge and its chains behind.
remove_network() {
  if [ -e /sys/class/net/docker0 ]; then
    ip link delete docker0 || say "left the bridge docker0: no ip command here"
  fi
  if iptables-save 2>/dev/null | grep -q DOCKER; then
    iptables-save | grep -vE 'DOCKER|docker0|172\.1[78]\.0\.0/16' | iptables-restore
  fi
  cat "$STATE/ip_forward" >/proc/sys/net/ipv4/ip_forward
}

remove_packages() {
  # Debian's docker.io takes /var/lib/docker along when it is purged.
  local packages others verb=remove
  if $purge_data; then verb=purge; fi
  mapfile -t packages <"$STATE/packages"
  # What came later and stands on one of them would go along: then they stay.
  others=$(apt-get purge --simulate "${packages[@]}" | awk '/^Purg/{print $2}' |
    grep -vxF -f "$STATE/packages" || true)
  if [ -n "$others" ]; then
    say "kept the packages ${packages[*]}: $(paste -sd ' ' <<<"$others") came later and needs them"
    return
  fi
  DEBIAN_FRONTEND=noninteractive apt-get "$verb" -y -qq "${packages[@]}" >/dev/null 2>&1 ||
    die "apt-get could not $verb ${packages[*]}; run it by hand to see why"
  rm -f /etc/docker/key.json
  rmdir --ignore-fail-on-non-empty /etc/docker 2>/dev/null || true
  say "${verb}d ${packages[*]}"
}

main() {
  need_root "undoing"
  [ -d "$STATE" ] || { say "setup.sh did nothing on this machine: nothing to undo"; return; }
  if answers && [ -n "$(docker ps --quiet)" ]; then
    die "containers still run: $(docker ps --format '{{.Names}}' | paste -sd ' '); end them first (make down)"
  fi
  if [ -e "$STATE/runtime" ]; then unregister_runtime; fi
  if [ -e "$STATE/started-by-systemd" ]; then systemctl stop docker.socket docker; fi
  if [ -e "$STATE/started-by-hand" ]; then stop_daemon; fi
  if [ -e "$STATE/packages" ]; then remove_packages; fi
  if $purge_data; then
    answers && die "a daemon still answers: its data stay"
    # The folder itself may be a disk of its own.
    find /var/lib/docker -mindepth 1 -delete
    rmdir /var/lib/docker 2>/dev/null || true
    say "removed the images and containers of /var/lib/docker"
  elif [ -d /var/lib/docker ]; then
    say "kept /var/lib/docker ($(du -sh /var/lib/docker | cut -f1)); --purge-data removes it"
  fi
  rm -rf "$STATE"
}

main
