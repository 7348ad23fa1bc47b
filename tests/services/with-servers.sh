#!/usr/bin/env bash
# Runs a command with a real Elasticsearch, OpenSearch and Redis beside it, and another
# Elasticsearch that asks who is there, named by ELASTICSEARCH_URL, OPENSEARCH_URL,
# REDIS_URL and SECURED_ELASTICSEARCH_URL (with user and password), and stops them
# afterwards, whatever happens.
# Exits with the command's code.
#
#   with-servers.sh cargo test
#
#   NODES   which nodes: PRODUCT-VERSION, with spaces between, one of a product
#           (elasticsearch-8.19.21 opensearch-2.19.6)
#
# See start-node.sh for what it needs and for NODE_CACHE; beside that, redis-server.
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
[ $# -gt 0 ] || { echo "with-servers.sh COMMAND [ARGUMENT ..]" >&2; exit 2; }

# Beside /tmp's own mode: the servers run as nobody when this runs as root.
work=$(mktemp -d "${TMPDIR:-/tmp}/elasticsearch-source.XXXXXX")
chmod 755 "$work"
starting=()
finish() {
    local pid
    # Whoever is impatient now would leave servers behind.
    trap '' INT TERM
    # A node that is still starting is stopped by way of its own pid, below.
    for pid in "${starting[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in $(cat "$work"/*/pid 2>/dev/null); do
        kill "$pid" 2>/dev/null || continue
        for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.2; done
        kill -9 "$pid" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Connecting to a port that nobody listens on fails; what is named is taken already.
free_port() {
    local port
    for port in $(shuf -i 20000-29999 -n 100); do
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && [[ " $* " != *" $port "* ]]; then echo "$port"; return; fi
    done
    echo "no free port found on 127.0.0.1" >&2
    return 1
}
redis=$(free_port)
taken=("$redis")

# With a password, as that must never show; kept in memory only.
start_redis() {
    mkdir "$work/redis"
    redis-server --bind 127.0.0.1 --port "$redis" --dir "$work/redis" --save '' \
        --requirepass correct-horse --pidfile "$work/redis/pid" --daemonize yes \
        --logfile "$work/redis/log" >&2
    for _ in $(seq 100); do
        (exec 3<>"/dev/tcp/127.0.0.1/$redis") 2>/dev/null && return
        sleep 0.1
    done
    cat "$work/redis/log" >&2
    return 1
}

for node in ${NODES:-elasticsearch-8.19.21 opensearch-2.19.6}; do
    product=${node%%-*} port=$(free_port "${taken[@]}")
    taken+=("$port")
    "$here/start-node.sh" "$product" "${node#*-}" "$port" "$work/$product" >&2 &
    starting+=($!)
    export "${product^^}_URL=http://127.0.0.1:$port"
done
start_redis
await() { for pid in "${starting[@]}"; do wait "$pid"; done; starting=(); }
await
# One with users, after the other, so that its distribution is fetched once.
if [ -z "${NODES:-}" ]; then
    port=$(free_port "${taken[@]}")
    NODE_AUTH=admin:correct-horse "$here/start-node.sh" elasticsearch 8.19.21 "$port" "$work/secured" >&2 &
    starting+=($!)
    export SECURED_ELASTICSEARCH_URL=http://admin:correct-horse@127.0.0.1:$port
    await
fi

export REDIS_URL=redis://:correct-horse@127.0.0.1:$redis
# In the background, as a trap waits for a command in the foreground.
"$@" &
command=$!
trap 'kill -INT "$command" 2>/dev/null; exit 130' INT
trap 'kill -TERM "$command" 2>/dev/null; exit 143' TERM
code=0
wait "$command" || code=$?
exit "$code"
