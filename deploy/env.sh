#!/bin/sh
# Adds to .env (or the file named) what docker-compose.yml needs and is not there yet, with made values for secrets.
# A second run adds only what is missing; a value that is there stays, and none is shown.
set -eu
file="${1:-.env}"
umask 077

has() { grep -qE "^[[:space:]]*(export[[:space:]]+)?$1[[:space:]]*=" "$file"; }

value_of() { sed -n "s/^$1=//p" "$file" | tail -n 1; }

secret() { head -c 36 /dev/urandom | base64 | tr -d '\n' | tr '+/' '-_'; }

add() {  # add NAME VALUE
    has "$1" && return
    printf '%s=%s\n' "$1" "$2" >> "$file"
    added="$added $1"
}

goes_into() {  # goes_into URL NAME
    has "$1" && return
    case "$(value_of "$2")" in
        *[!A-Za-z0-9._~-]*) echo "$2 in $file has characters that a URL must have encoded: write $1 too." >&2; exit 1 ;;
    esac
}

[ -e "$file" ] || printf '# Secrets and settings of this installation: docs/deploying.md. Back it up; show it to nobody.\n' > "$file"
chmod 600 "$file"
# A last line without its end would swallow the next one.
[ -z "$(tail -c 1 "$file")" ] || printf '\n' >> "$file"
added=""
add PUBLIC_HOST "${PUBLIC_HOST:-localhost}"
add PUBLIC_URL "https://$(value_of PUBLIC_HOST)"
add ALLOWED_HOSTS "$(value_of PUBLIC_HOST),web,localhost,127.0.0.1"
for name in POSTGRES_PASSWORD RASA_DB_PASSWORD REDIS_PASSWORD RABBITMQ_PASSWORD CONTROLPLANE_SECRET_KEY \
        CONTROLPLANE_ADMIN_PASSWORD RASA_TOKEN RASA_X_TOKEN JWT_SECRET; do
    add "$name" "$(secret)"
done
goes_into DATABASE_URL POSTGRES_PASSWORD
add DATABASE_URL "postgres://controlplane:$(value_of POSTGRES_PASSWORD)@postgres:5432/controlplane"
goes_into CACHE_URL REDIS_PASSWORD
add CACHE_URL "redis://:$(value_of REDIS_PASSWORD)@redis:6379/0"
goes_into BROKER_URL REDIS_PASSWORD
add BROKER_URL "redis://:$(value_of REDIS_PASSWORD)@redis:6379/1"
add DEPLOYMENT_USER "$(id -u):$(id -g)"
empty=$(sed -nE 's/^([A-Z0-9_]*(PASSWORD|TOKEN|SECRET|KEY|URL))=[[:space:]]*$/\1/p' "$file" | tr '\n' ' ')
if [ -n "$empty" ]; then
    echo "Empty in $file: $empty- give them values, or remove the lines and run this again." >&2
    exit 1
fi
if [ -n "$added" ]; then echo "Added to $file:$added"; else echo "Nothing is missing in $file."; fi
