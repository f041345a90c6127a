#!/usr/bin/env bash
# Take back what setup.sh did on this machine, and nothing else.
#
# Images and containers (/var/lib/docker) stay unless --purge-data says otherwise: they may hold other work.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
source "$here/lib.sh"

purge_data=false
case "${1:-}" in
"") ;;
--purge-data) purge_data=true ;;
*) die "usage: undo.sh [--purge-data]" ;;
esac

unregister_runtime() {
  local pid
  if [ -e "$STATE/daemon.json.before" ]; then
    cp "$STATE/daemon.json.before" "$DAEMON_JSON"
  else
    rm -f "$DAEMON_JSON"
    rmdir --ignore-fail-on-non-empty "$(dirname "$DAEMON_JSON")" 2>/dev/null || true
  fi
  # A missing file keeps the old settings on reload, so a daemon that goes on running gets told in full.
  if pid=$(daemon_pid) && [ ! -e "$STATE/started-by-hand" ] && [ ! -e "$STATE/packages" ]; then
    [ -e "$DAEMON_JSON" ] || { mkdir -p "$(dirname "$DAEMON_JSON")" && printf '{}\n' >"$DAEMON_JSON"; }
    kill -HUP "$pid"
    say "the daemon $pid goes on with its former runtime"
  fi
  rm -f "$RUNTIME"
  rmdir --ignore-fail-on-non-empty "$(dirname "$RUNTIME")" 2>/dev/null || true
  say "unregistered the runtime"
}

gone() { ! kill -0 "$1" 2>/dev/null; }

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
  if ip link show docker0 >/dev/null 2>&1; then ip link delete docker0; fi
  if iptables-save 2>/dev/null | grep -q DOCKER; then
    iptables-save | grep -vE 'DOCKER|docker0|172\.1[78]\.0\.0/16' | iptables-restore
  fi
  cat "$STATE/ip_forward" >/proc/sys/net/ipv4/ip_forward
}

remove_packages() {
  local packages
  mapfile -t packages <"$STATE/packages"
  DEBIAN_FRONTEND=noninteractive apt-get purge -y -qq "${packages[@]}" >/dev/null 2>&1 ||
    die "apt-get could not purge ${packages[*]}; run it by hand to see why"
  say "purged ${packages[*]}"
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
    rm -rf /var/lib/docker /var/lib/containerd
    say "removed /var/lib/docker and /var/lib/containerd"
  elif [ -d /var/lib/docker ]; then
    say "kept /var/lib/docker ($(du -sh /var/lib/docker | cut -f1)); --purge-data removes it"
  fi
  rm -rf "$STATE"
}

main
