#!/usr/bin/env bash
# Compiles RestRoot.java against an unpacked Elasticsearch and adds it as a module.
#
#   build.sh HOME VERSION JAVA_HOME
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
home=${1:?build.sh HOME VERSION JAVA_HOME} version=${2:?} java=${3:?}
[ -x "$java/bin/javac" ] || { echo "elasticsearch $version needs javac in $java to answer GET /" >&2; exit 3; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Elasticsearch 9 hands its services over in one record; 8 one by one.
if "$java/bin/javap" -cp "$home/lib/elasticsearch-$version.jar" 'org.elasticsearch.plugins.ActionPlugin$RestHandlersServices' >/dev/null 2>&1; then
    parameters='RestHandlersServices services,'
else
    e=org.elasticsearch
    parameters="$e.common.settings.Settings a, $e.common.io.stream.NamedWriteableRegistry b, $e.rest.RestController c,
        $e.common.settings.ClusterSettings d, $e.common.settings.IndexScopedSettings e,
        $e.common.settings.SettingsFilter f, $e.cluster.metadata.IndexNameExpressionResolver g,"
fi
mkdir -p "$work"/{source/restroot,classes,rest-root}
awk -v parameters="$parameters" '{ sub(/@PARAMETERS@/, parameters); print }' "$here/RestRoot.java" >"$work/source/restroot/RestRoot.java"
"$java/bin/javac" -nowarn -cp "$home/lib/*" -d "$work/classes" "$work/source/restroot/RestRoot.java"
"$java/bin/jar" cf "$work/rest-root/rest-root.jar" -C "$work/classes" .
printf '%s\n' "description=GET / for tests" "version=$version" "name=rest-root" "classname=restroot.RestRoot" \
    "java.version=17" "elasticsearch.version=$version" >"$work/rest-root/plugin-descriptor.properties"
chmod -R go+rX "$work/rest-root"
# Moved at once, so that a node that starts meanwhile never sees half of it.
mv -T "$work/rest-root" "$home/modules/rest-root" 2>/dev/null || [ -d "$home/modules/rest-root" ]
