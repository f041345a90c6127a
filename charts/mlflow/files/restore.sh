#!/bin/sh
# restore.sh STAGE...: puts a backup back, the newest or $RESTORE: each database in one transaction, a volume's
# artifacts by exchange of folders. Refuses a backup that is not as it was written, and databases that somebody uses.
# The stages, in their order: `check`, `artifacts`, `databases`, `finish`; see backup.sh for why there are stages.
set -eu
export PATH="$PATH:/usr/lib/postgresql/15/bin"

# The stages share /tmp: a backup that ends meanwhile must not become the newest.
chosen=/tmp/backup

check() {
    name=${RESTORE:-$(find /backup -mindepth 1 -maxdepth 1 -type d -name '20*Z' -exec basename {} \; | sort | tail -n 1)}
    if [ -z "$name" ] || [ ! -d "/backup/$name" ]; then
        echo "there is no backup ${name:-at all}; there are: $(find /backup -mindepth 1 -maxdepth 1 -name '20*Z' -exec basename {} \; | sort | tr '\n' ' ')" >&2
        exit 2
    fi
    cd "/backup/$name"
    sha256sum --check --quiet SHA256SUMS || {
        echo "backup $name is not as it was written; nothing was changed" >&2
        exit 2
    }
    unused "$MLFLOW_DATABASE" mlflow "$MLFLOW_PASSWORD"
    unused "$AUTH_DATABASE" mlflow "$MLFLOW_PASSWORD"
    unused "$FEAST_DATABASE" feast "$FEAST_PASSWORD"
    printf '%s' "$name" > "$chosen"
}

unused() { # database, role, password
    others=$(PGPASSWORD="$3" psql --dbname="$1" --username="$2" --no-psqlrc --tuples-only --no-align --command \
        "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
    if [ "$others" -ne 0 ]; then
        echo "$others connections are open to the database $1: scale MLflow to 0 replicas first, and let Jobs end" >&2
        exit 2
    fi
}

artifacts() {
    cd "/backup/$(cat "$chosen")"
    # Of a restore that was broken off.
    rm -rf /artifacts/.restored
    if [ ! -f artifacts.tar ]; then
        echo "artifacts: not in this backup; those that are there stay"
    elif [ -n "${ARTIFACTS_BUCKET:-}" ]; then
        python /scripts/bucket.py put artifacts.tar
    else
        # Unpacked before anything is changed: a full volume must not leave half of a restore.
        mkdir /artifacts/.restored
        tar --extract --file=artifacts.tar --directory=/artifacts/.restored
    fi
}

put() { # file, database, role, password
    # All that is there goes, also what the backup does not know. Read to its end first: half a dump must not be taken in.
    pg_restore --no-owner --no-privileges --file="/tmp/$1.sql" "$1.dump"
    PGPASSWORD="$4" PGOPTIONS="--client-min-messages=warning" \
        psql --dbname="$2" --username="$3" --no-psqlrc --quiet --single-transaction --set=ON_ERROR_STOP=1 \
        --output=/dev/null --command='drop schema public cascade; create schema public' --file="/tmp/$1.sql"
    rm "/tmp/$1.sql"
    echo "$2: restored"
}

databases() {
    cd "/backup/$(cat "$chosen")"
    put mlflow "$MLFLOW_DATABASE" mlflow "$MLFLOW_PASSWORD"
    put mlflow_auth "$AUTH_DATABASE" mlflow "$MLFLOW_PASSWORD"
    put feast "$FEAST_DATABASE" feast "$FEAST_PASSWORD"
}

finish() {
    if [ -d /artifacts/.restored ]; then
        find /artifacts -mindepth 1 -maxdepth 1 ! -name .restored -exec rm -rf {} +
        find /artifacts/.restored -mindepth 1 -maxdepth 1 -exec mv -t /artifacts {} +
        rmdir /artifacts/.restored
        echo "artifacts: restored"
    fi
    echo "backup $(cat "$chosen") is restored"
}

for stage; do
    case $stage in
        check | artifacts | databases | finish) "$stage" ;;
        *) echo "restore.sh has no stage $stage" >&2 && exit 2 ;;
    esac
done
