# shellcheck shell=bash disable=SC2034  # the scripts that source this file use the names
# What setup.sh and undo.sh must agree on: where setup leaves its marks on this machine.

STATE=/var/lib/serinus-docker          # one file for each thing that setup did; undo reads them
LOG=/var/log/serinus-dockerd.log       # of the daemon that setup started by hand
PIDFILE=/run/serinus-dockerd.pid       # of the same daemon
RUNTIME=/usr/local/libexec/serinus/runc_granted
DAEMON_JSON=/etc/docker/daemon.json

say() { printf 'docker: %s\n' "$*"; }
die() { printf 'docker: error: %s\n' "$*" >&2; exit 1; }

need_root() { [ "$(id -u)" = 0 ] || die "$1 needs root; run: sudo $0"; }

answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# Retry a command each half second: wait_for SECONDS WHAT COMMAND...
wait_for() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.5
  done
  say "$what"
}

# The process id of the daemon that serves the local socket, whoever started it.
daemon_pid() {
  local file
  for file in "$PIDFILE" /run/docker.pid /var/run/docker.pid; do
    if [ -s "$file" ] && kill -0 "$(cat "$file")" 2>/dev/null; then
      cat "$file"
      return 0
    fi
  done
  pidof -s dockerd
}

# The interpreter itself, no shim that chooses one: the system's where there is one.
system_python() {
  PATH="/usr/bin:$PATH" python3 -c 'import sys; print(sys.executable)' || die "Python 3 is needed; install python3"
}

default_runtime_is() { [ "$(docker info --format '{{.DefaultRuntime}}' 2>/dev/null)" = "$1" ]; }

# Write a default runtime into the daemon's settings and have it read them: use_runtime PYTHON PID NAME [PATH]
use_runtime() {
  "$1" - "$DAEMON_JSON" "$3" "${4:-}" <<'PYTHON'
import json, pathlib, sys
path, name, program = pathlib.Path(sys.argv[1]), *sys.argv[2:]
settings = json.loads(path.read_text()) if path.exists() else {}
if program:
    settings.setdefault("runtimes", {})[name] = {"path": program}
settings["default-runtime"] = name
path.write_text(json.dumps(settings, indent=2) + "\n")
PYTHON
  kill -HUP "$2"
  wait_for 15 "the default runtime is $3" default_runtime_is "$3"
}

systemd_runs() { [ -d /run/systemd/system ]; }
