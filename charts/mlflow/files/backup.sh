#!/bin/sh
# backup.sh STAGE...: writes a new folder under /backup with a dump of each database, the artifacts, and their
# checksums. The folder gets its final name last, so what has that name is whole. Databases and a bucket need two
# programs that no image has both of, hence the stages: `databases`, then `artifacts`, then `finish`.
set -eu
export PATH="$PATH:/usr/lib/postgresql/15/bin"

dump() { # file, database, role, password
    PGPASSWORD="$4" pg_dump --dbname="$2" --username="$3" --format=custom --no-owner --no-privileges --file="$1.dump"
    echo "$2: $(stat -c %s "$1.dump") bytes"
}

databases() {
    rm -rf /backup/*.part
    mkdir "/backup/$(date -u +%Y-%m-%dT%H-%M-%SZ).part"
    cd /backup/*.part
    # Files have the names that databases have by default: another installation may give them others.
    dump mlflow "$MLFLOW_DATABASE" mlflow "$MLFLOW_PASSWORD"
    dump mlflow_auth "$AUTH_DATABASE" mlflow "$MLFLOW_PASSWORD"
    dump feast "$FEAST_DATABASE" feast "$FEAST_PASSWORD"
}

# Runs name artifacts, never the other way round: databases first, and no run of the dump lacks its files.
artifacts() {
    cd /backup/*.part
    if [ "$ARTIFACTS" = false ]; then
        echo "artifacts: not in this backup, because backup.artifacts is false"
        return
    elif [ -n "${ARTIFACTS_BUCKET:-}" ]; then
        python /scripts/bucket.py save artifacts.tar
    else
        # Ends with 1 where a file grew while it was read: an upload under way, of a run that the dump does not know.
        tar --create --file=artifacts.tar --directory=/artifacts . || [ $? -eq 1 ]
    fi
    echo "artifacts: $(stat -c %s artifacts.tar) bytes"
}

finish() {
    cd /backup/*.part
    part=$(pwd)
    sha256sum -- * > SHA256SUMS
    sync
    mv "$part" "${part%.part}"
    echo "backup $(basename "$part" .part) is complete"
    find /backup -mindepth 1 -maxdepth 1 -type d -name '20*Z' | sort | head -n "-$KEEP" | while read -r old; do
        echo "removing $(basename "$old"), the newest $KEEP stay"
        rm -rf "$old"
    done
}

for stage; do
    case $stage in
        databases | artifacts | finish) "$stage" ;;
        *) echo "backup.sh has no stage $stage" >&2 && exit 2 ;;
    esac
done
