#!/bin/sh
# Ends as soon as PostgreSQL lets MLflow's role into both databases. Gives up after five minutes without an answer, and
# at once where the answer is no: waiting changes no certificate and no password, and the pod is started again anyway.
set -eu
export PATH="$PATH:/usr/lib/postgresql/15/bin"
deadline=$(($(date +%s) + 300))
# Whether it is there at all: a certificate that is not believed would look like no answer.
until (unset PGSSLROOTCERT && PGSSLMODE=prefer pg_isready --quiet); do
    if [ "$(date +%s)" -ge "$deadline" ]; then
        echo "PostgreSQL at $PGHOST:$PGPORT did not answer for five minutes; look at its pod and its network policy" >&2
        exit 1
    fi
    sleep 1
done
for database in "$MLFLOW_DATABASE" "$AUTH_DATABASE"; do
    psql --dbname="$database" --no-psqlrc --quiet --output=/dev/null --command="select" || {
        echo "PostgreSQL at $PGHOST:$PGPORT does not let the role $PGUSER into the database $database, for the reason above." >&2
        echo "A certificate: see postgresql.external.sslMode and .ca. A password: PostgreSQL has another than the Secret; see \"Passwords\" in the chart's README." >&2
        exit 1
    }
done
