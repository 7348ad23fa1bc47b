#!/usr/bin/env bash
# Compiles a stand-in for a missing part of an unpacked Elasticsearch and adds it as a
# module, unless it has it.
#
#   build.sh HOME VERSION JAVA_HOME MODULE CLASS
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
home=${1:?build.sh HOME VERSION JAVA_HOME MODULE CLASS} version=${2:?} java=${3:?} module=${4:?} class=${5:?}
[ ! -d "$home/modules/$module" ] || exit 0
[ -x "$java/bin/javac" ] || { echo "elasticsearch $version needs javac in $java for its stand-ins" >&2; exit 3; }
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
mkdir -p "$work"/{source/standin,classes,module}
awk -v parameters="$parameters" '{ sub(/@PARAMETERS@/, parameters); print }' "$here/$class.java" >"$work/source/standin/$class.java"
"$java/bin/javac" -nowarn -cp "$home/lib/*" -d "$work/classes" "$work/source/standin/$class.java"
"$java/bin/jar" cf "$work/module/$module.jar" -C "$work/classes" .
printf '%s\n' "description=for tests" "version=$version" "name=$module" "classname=standin.$class" \
    "java.version=17" "elasticsearch.version=$version" >"$work/module/plugin-descriptor.properties"
chmod -R go+rX "$work/module"
# Moved at once, so that a node that starts meanwhile never sees half of it.
mv -T "$work/module" "$home/modules/$module" 2>/dev/null || [ -d "$home/modules/$module" ]
