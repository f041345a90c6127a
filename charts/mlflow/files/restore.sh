#!/bin/sh
# Puts a backup back, the newest or $RESTORE: each database in one transaction, the artifacts by exchange of folders.
# Refuses a backup that is not as it was written, and databases that somebody uses.
set -eu
export PATH="$PATH:/usr/lib/postgresql/15/bin"
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

free() { # database, role, password
    others=$(PGPASSWORD="$3" psql --dbname="$1" --username="$2" --no-psqlrc --tuples-only --no-align --command \
        "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
    if [ "$others" -ne 0 ]; then
        echo "$others connections are open to the database $1: scale MLflow to 0 replicas first, and let Jobs end" >&2
        exit 2
    fi
}
free "$MLFLOW_DATABASE" mlflow "$MLFLOW_PASSWORD"
free "$AUTH_DATABASE" mlflow "$MLFLOW_PASSWORD"
free "$FEAST_DATABASE" feast "$FEAST_PASSWORD"

# Unpacked before anything is changed: a full volume must not leave half of a restore.
if [ -f artifacts.tar ]; then
    rm -rf /artifacts/.restored
    mkdir /artifacts/.restored
    tar --extract --file=artifacts.tar --directory=/artifacts/.restored
fi

put() { # database, role, password
    # All that is there goes, also what the backup does not know. Read to its end first: half a dump must not be taken in.
    pg_restore --no-owner --no-privileges --file="/tmp/$1.sql" "$1.dump"
    PGPASSWORD="$3" PGOPTIONS="--client-min-messages=warning" \
        psql --dbname="$1" --username="$2" --no-psqlrc --quiet --single-transaction --set=ON_ERROR_STOP=1 \
        --output=/dev/null --command='drop schema public cascade; create schema public' --file="/tmp/$1.sql"
    rm "/tmp/$1.sql"
    echo "$1: restored"
}
put "$MLFLOW_DATABASE" mlflow "$MLFLOW_PASSWORD"
put "$AUTH_DATABASE" mlflow "$MLFLOW_PASSWORD"
put "$FEAST_DATABASE" feast "$FEAST_PASSWORD"

if [ -f artifacts.tar ]; then
    find /artifacts -mindepth 1 -maxdepth 1 ! -name .restored -exec rm -rf {} +
    find /artifacts/.restored -mindepth 1 -maxdepth 1 -exec mv -t /artifacts {} +
    rmdir /artifacts/.restored
    echo "artifacts: restored"
fi
echo "backup $name is restored"
