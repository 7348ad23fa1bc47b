#!/usr/bin/env bash
# Starts one real Elasticsearch or OpenSearch on 127.0.0.1, from the trimmed server
# distribution that its makers publish on Maven Central, and waits until it answers.
#
#   start-node.sh elasticsearch|opensearch VERSION PORT DATADIR [setting=value ..]
#
# It goes on in the background; stop it with: kill "$(cat DATADIR/pid)"
#
#   NODE_CACHE  where distributions are unpacked, once per version
#               (/var/cache/elasticsearch-source for root, else in the user's cache)
#   NODE_HEAP   memory of the node (512m)
#   NODE_AUTH   user:password: security is switched on, with this superuser (Elasticsearch)
#
# Needs java (17, or 21 for Elasticsearch 9 and OpenSearch 3), curl, unzip or jar, and
# mvn where the distribution is not in the cache. Elasticsearch 8 and 9 also need javac.
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
usage="start-node.sh elasticsearch|opensearch VERSION PORT DATADIR [setting=value ..]"
product=${1:?$usage} version=${2:?$usage} port=${3:?$usage} data=${4:?$usage}
shift 4
major=${version%%.*}
case $product in
    elasticsearch) group=org.elasticsearch.distribution.integ-test-zip prefix=ES from=9 ;;
    opensearch) group=org.opensearch.distribution.integ-test-zip prefix=OPENSEARCH from=3 ;;
    *) echo "unknown product $product: $usage" >&2; exit 2 ;;
esac
if [ "$(id -u)" = 0 ]; then default=/var/cache/elasticsearch-source; else default=${XDG_CACHE_HOME:-$HOME/.cache}/elasticsearch-source; fi
cache=${NODE_CACHE:-$default}
home=$cache/$product-$version

# The first Java that is new enough, and not too new for an old server.
java_version() { "$1/bin/java" -XshowSettings:properties -version 2>&1 | sed -n 's/.*java.specification.version = //p'; }
find_java() {
    local least=17 most=99 dir found
    if [ "$major" -ge "$from" ]; then least=21; else most=21; fi
    for dir in ${NODE_JAVA_HOME:+"$NODE_JAVA_HOME"} ${JAVA_HOME:+"$JAVA_HOME"} /usr/lib/jvm/*; do
        [ -x "$dir/bin/java" ] || continue
        found=$(java_version "$dir")
        case $found in '' | *[!0-9]*) continue ;; esac
        if [ "$found" -ge $least ] && [ "$found" -le $most ]; then echo "$dir"; return; fi
    done
    echo "no java from $least to $most found: install one, or name it with NODE_JAVA_HOME" >&2
    return 1
}
java=$(find_java)

# Unpacked beside its place and moved there, so that a broken start leaves no half.
fetch() {
    local zip=$HOME/.m2/repository/${group//.//}/$product/$version/$product-$version.zip unpacked
    mkdir -p "$cache"
    [ -f "$zip" ] || mvn --batch-mode --quiet org.apache.maven.plugins:maven-dependency-plugin:3.6.1:get \
        -Dtransitive=false -Dartifact="$group:$product:$version:zip" >&2
    unpacked=$(mktemp -d "$cache/unpack.XXXXXX")
    (cd "$unpacked" && if command -v unzip >/dev/null; then unzip -q "$zip"; else "$java/bin/jar" xf "$zip"; fi)
    chmod -R u+rwX,go+rX "$unpacked"
    chmod +x "$unpacked/$product-$version"/bin/*
    mv -T "$unpacked/$product-$version" "$home" || [ -x "$home/bin/$product" ]
    rm -rf "$unpacked"
}
[ -x "$home/bin/$product" ] || fetch

# The distribution of Elasticsearch 8 and 9 lacks what answers GET /, and what keeps API keys.
if [ "$product" = elasticsearch ] && [ "$major" -ge 8 ]; then
    "$here/stand-ins/build.sh" "$home" "$version" "$java" rest-root RestRoot
    "$here/stand-ins/build.sh" "$home" "$version" "$java" email-analysis EmailAnalysis
fi

mkdir -p "$data"/{config/jvm.options.d,data,logs,tmp}
data=$(cd "$data" && pwd)
cp "$home"/config/* "$data/config/" 2>/dev/null || true # folders stay behind
{
    printf '%s\n' "cluster.name: test-$port" "node.name: node" "discovery.type: single-node" \
        "network.host: 127.0.0.1" "http.port: $port" "transport.port: 0" \
        "path.data: $data/data" "path.logs: $data/logs" \
        "cluster.routing.allocation.disk.threshold_enabled: false" "http.compression: true"
    if [ "$product" = elasticsearch ]; then
        echo "xpack.security.enabled: $([ -n "${NODE_AUTH:-}" ] && echo true || echo false)"
        [ "$major" -lt 8 ] || echo "xpack.security.enrollment.enabled: false"
    fi
    for setting in "$@"; do echo "${setting%%=*}: ${setting#*=}"; done
} >"$data/config/$product.yml"
# Its flags that write into the distribution's own folder have no place here.
grep -vE 'Xlog|ErrorFile|HeapDump|GCLog|loggc|PrintGC' "$home/config/jvm.options" >"$data/config/jvm.options"
printf '%s\n' "-Xms${NODE_HEAP:-512m}" "-Xmx${NODE_HEAP:-512m}" "-XX:TieredStopAtLevel=1" \
    "-XX:ErrorFile=$data/logs/java-error.log" >"$data/config/jvm.options.d/test.options"
if [ -n "${NODE_AUTH:-}" ]; then
    [ "$product" = elasticsearch ] || { echo "NODE_AUTH is for elasticsearch only" >&2; exit 2; }
    ES_JAVA_HOME=$java ES_PATH_CONF=$data/config "$home/bin/elasticsearch-users" \
        useradd "${NODE_AUTH%%:*}" -p "${NODE_AUTH#*:}" -r superuser >&2
fi

# Both refuse to run as root.
as=()
if [ "$(id -u)" = 0 ]; then
    chown -R nobody "$data"
    as=(setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups)
    for dir in "$home" "$data"; do
        "${as[@]}" test -x "$dir" || { echo "$dir is out of reach for the user nobody: choose a folder whose parents others may enter" >&2; exit 4; }
    done
fi
cd "$data"
env -i PATH="$PATH" LANG=C.UTF-8 HOME="$data/tmp" "${prefix}_JAVA_HOME=$java" "${prefix}_PATH_CONF=$data/config" \
    "${prefix}_TMPDIR=$data/tmp" CLI_JAVA_OPTS=-Xmx64m \
    "${as[@]}" "$home/bin/$product" </dev/null >"$data/logs/output.log" 2>&1 &
pid=$!
echo "$pid" >"$data/pid"

for _ in $(seq 600); do
    if curl -fsS -m 5 ${NODE_AUTH:+-u "$NODE_AUTH"} "http://127.0.0.1:$port/_cluster/health?wait_for_status=yellow&timeout=3s" >/dev/null 2>&1; then
        echo "$product $version answers at http://127.0.0.1:$port (pid $pid)"
        exit 0
    fi
    kill -0 "$pid" 2>/dev/null || { echo "$product $version ended at once:" >&2; tail -40 "$data/logs/output.log" >&2; exit 5; }
    sleep 0.3
done
echo "$product $version did not answer in time:" >&2
tail -40 "$data/logs/output.log" >&2
kill "$pid"
exit 6
