#!/bin/sh
# Writes a new folder under /backup: a dump of each database, the artifacts, and their checksums. The folder gets its
# final name last, so what has that name is whole.
set -eu
export PATH="$PATH:/usr/lib/postgresql/15/bin"
name=$(date -u +%Y-%m-%dT%H-%M-%SZ)
target="/backup/$name"
rm -rf /backup/*.part
mkdir -p "$target.part"
cd "$target.part"

dump() { # database, role, password
    PGPASSWORD="$3" pg_dump --dbname="$1" --username="$2" --format=custom --no-owner --no-privileges --file="$1.dump"
    echo "$1: $(stat -c %s "$1.dump") bytes"
}
# Runs name artifacts, never the other way round: databases first, and no run of the dump lacks its files.
dump "$MLFLOW_DATABASE" mlflow "$MLFLOW_PASSWORD"
dump "$AUTH_DATABASE" mlflow "$MLFLOW_PASSWORD"
dump "$FEAST_DATABASE" feast "$FEAST_PASSWORD"
if [ -d /artifacts ]; then
    # Ends with 1 where a file grew while it was read: an upload under way, of a run that the dump does not know.
    tar --create --file=artifacts.tar --directory=/artifacts . || [ $? -eq 1 ]
    echo "artifacts: $(stat -c %s artifacts.tar) bytes"
fi
sha256sum -- * > SHA256SUMS
sync
mv "$target.part" "$target"
echo "backup $name is complete"

find /backup -mindepth 1 -maxdepth 1 -type d -name '20*Z' | sort | head -n "-$KEEP" | while read -r old; do
    echo "removing $(basename "$old"), the newest $KEEP stay"
    rm -rf "$old"
done
