#!/bin/sh
# Makes the cluster's files once, and at each start the roles, their passwords and databases. Everything is asked of a
# server that only listens on a socket, so nobody else can come in between.
set -eu
export PATH="$PATH:/usr/lib/postgresql/15/bin"

# A start that was interrupted leaves only the .new folder, which the next one throws away.
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    rm -rf "$PGDATA.new"
    printf '%s' "$POSTGRES_PASSWORD" > /tmp/password
    initdb --pgdata="$PGDATA.new" --username=postgres --pwfile=/tmp/password --locale=C.UTF-8 --encoding=UTF8 \
        --auth-local=peer --auth-host=scram-sha-256 --data-checksums
    mv "$PGDATA.new" "$PGDATA"
fi

pg_ctl start --pgdata="$PGDATA" --wait --timeout=300 --silent \
    --options="-c listen_addresses= -c unix_socket_directories=/var/run/postgresql -c hba_file=/scripts/pg_hba.conf"
trap 'pg_ctl stop --pgdata="$PGDATA" --mode=fast --wait --silent' EXIT

psql --host=/var/run/postgresql --username=postgres --no-psqlrc --quiet --set=ON_ERROR_STOP=1 <<'SQL'
\getenv postgres_password POSTGRES_PASSWORD
\getenv mlflow_password MLFLOW_PASSWORD
\getenv feast_password FEAST_PASSWORD
\getenv mlflow_database MLFLOW_DATABASE
\getenv auth_database AUTH_DATABASE
\getenv feast_database FEAST_DATABASE
select format('create role %I login', role) from (values ('mlflow'), ('feast')) as wanted (role)
    where not exists (select from pg_roles where rolname = role) \gexec
alter role postgres password :'postgres_password';
alter role mlflow password :'mlflow_password';
alter role feast password :'feast_password';
select format('create database %I owner %I', name, role)
    from (values (:'mlflow_database', 'mlflow'), (:'auth_database', 'mlflow'), (:'feast_database', 'feast')) as wanted (name, role)
    where not exists (select from pg_database where datname = name) \gexec
-- A role sees its own databases only.
select format('revoke connect on database %I from public', name)
    from (values (:'mlflow_database'), (:'auth_database'), (:'feast_database')) as wanted (name) \gexec
SQL
