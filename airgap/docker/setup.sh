#!/usr/bin/env bash
# Give this machine a Docker daemon that can run `--privileged` containers, as kind needs.
#
# Each step first finds out whether it is needed, so a second run changes nothing:
#   1. no daemon answers     -> install Debian's docker.io if dockerd is missing, start dockerd
#   2. --privileged fails    -> register the runtime runc_granted.py as the default one
# What was done is recorded under /var/lib/serinus-docker; undo.sh takes back exactly that.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$here/lib.sh"

TRIAL_IMAGE=serinus/trial:latest
START_DEADLINE=60

install_packages() {
  need_root "installing docker.io"
  command -v apt-get >/dev/null ||
    die "no dockerd and no apt-get here; install Docker as https://docs.docker.com/engine/install/ says"
  say "no dockerd on this machine: installing Debian's docker.io"
  apt-get update -qq
  mkdir -p "$STATE"
  # Recorded before the installation, so that undo also knows after a failure half way.
  apt-get install --simulate --no-install-recommends docker.io | awk '/^Inst /{print $2}' >"$STATE/packages"
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io >"$STATE/apt.log" 2>&1 ||
    die "apt-get could not install docker.io; its words are in $STATE/apt.log"
  hash -r
}

start_daemon() {
  need_root "starting dockerd"
  mkdir -p "$STATE"
  if systemd_runs; then
    systemctl start docker
    touch "$STATE/started-by-systemd"
  else
    cat /proc/sys/net/ipv4/ip_forward >"$STATE/ip_forward"
    setsid nohup dockerd --pidfile "$PIDFILE" >>"$LOG" 2>&1 </dev/null 9>&- &
    touch "$STATE/started-by-hand"
  fi
  wait_for "$START_DEADLINE" "the daemon answers" answers ||
    die "dockerd did not answer within ${START_DEADLINE} s; its log: $LOG (or: journalctl -u docker)"
}

# A tiny image without any download: two programs of this machine and the libraries they load.
make_trial_image() {
  local files
  docker image inspect "$TRIAL_IMAGE" >/dev/null 2>&1 && return
  # ldd names both programs before their libraries.
  mapfile -t files < <(ldd /bin/sleep /bin/true | grep -o '/[^ :]*' | sort -u)
  tar --create --dereference --absolute-names "${files[@]}" | docker import - "$TRIAL_IMAGE" >/dev/null
}

# Both doors that kind uses: `run --privileged` and `exec --privileged`. Prints what failed.
privileged_works() {
  local name=serinus-trial-$$ words=""
  if ! words=$(docker run --detach --privileged --name "$name" "$TRIAL_IMAGE" /bin/sleep 60 2>&1) ||
    ! words=$(docker exec --privileged "$name" /bin/true 2>&1); then
    say "--privileged fails: $(grep -m 1 -i error <<<"$words")"
    docker rm --force "$name" >/dev/null 2>&1 || true
    return 1
  fi
  docker rm --force "$name" >/dev/null
}

register_runtime() {
  local pid python
  need_root "registering a runtime"
  python=$(system_python)
  pid=$(daemon_pid) ||
    die "the daemon does not run on this machine (DOCKER_HOST=${DOCKER_HOST:-}); run this script there"
  mkdir -p "$STATE" "$(dirname "$RUNTIME")" "$(dirname "$DAEMON_JSON")"
  # Started with each container and each exec: no site packages, no user settings.
  { printf '#!%s -IS\n' "$python"; cat "$here/runc_granted.py"; } >"$RUNTIME"
  chmod 755 "$RUNTIME"
  if [ ! -e "$STATE/runtime" ]; then
    if [ -e "$DAEMON_JSON" ]; then cp "$DAEMON_JSON" "$STATE/daemon.json.before"; fi
    touch "$STATE/runtime"
  fi
  use_runtime "$python" "$pid" granted "$RUNTIME" ||
    die "the daemon did not take the runtime from $DAEMON_JSON within 15 s; its log: $LOG"
}

main() {
  # One at a time on a machine: two daemons would fight for the socket.
  exec 9>/run/lock/serinus-docker.lock
  flock --timeout 600 9 || die "another setup.sh holds /run/lock/serinus-docker.lock for ten minutes"

  if answers; then
    say "a daemon answers: $(docker version --format '{{.Server.Version}}')"
  else
    command -v dockerd >/dev/null || install_packages
    start_daemon
  fi
  make_trial_image
  if privileged_works; then
    say "--privileged works"
  else
    register_runtime
    privileged_works || die "--privileged still fails with the runtime; see $LOG"
    say "--privileged works now"
  fi
  docker image rm "$TRIAL_IMAGE" >/dev/null
}

main "$@"
