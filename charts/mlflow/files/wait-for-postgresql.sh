#!/bin/sh
# Ends as soon as PostgreSQL answers; gives up after five minutes.
set -eu
export PATH="$PATH:/usr/lib/postgresql/15/bin"
deadline=$(($(date +%s) + 300))
until pg_isready --quiet; do
    if [ "$(date +%s)" -ge "$deadline" ]; then
        echo "PostgreSQL at $PGHOST:$PGPORT did not answer for five minutes; look at its pod and its network policy" >&2
        exit 1
    fi
    sleep 1
done
