#!/bin/sh
# At the first start of the database server. Rasa servers make a database for each environment, and cannot enter that of
# the control plane.
set -eu
psql --set ON_ERROR_STOP=1 --set password="$RASA_DB_PASSWORD" --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE rasa LOGIN CREATEDB PASSWORD :'password';
REVOKE ALL ON DATABASE controlplane FROM PUBLIC;
SQL
