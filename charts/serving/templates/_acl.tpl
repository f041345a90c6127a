{{/*
Users of the prediction log's Redis: servers of a namespace may add to its streams, its collect Job may take from them.
Takes (dict "context" $ "digests" <by user>), of serinus.redis.digests.
*/}}
{{- define "serving.acl" -}}
user default off
user probe on nopass -@all +ping
user metrics on {{ .digests.metrics }} resetchannels -@all ~* +ping +info +client|setname +config|get +slowlog|len +slowlog|get +latency|latest +xlen +xinfo|stream +xinfo|groups +type +scan +select +dbsize
{{- range .context.Values.global.models.namespaces }}
user writer-{{ . }} on {{ get $.digests (printf "writer-%s" .) }} resetchannels -@all ~predictions.{{ . }}.* +ping +select +xadd +xtrim
user reader-{{ . }} on {{ get $.digests (printf "reader-%s" .) }} resetchannels -@all ~predictions.{{ . }}.* +ping +select +client|setname +multi +exec +discard +xlen +xrange +xinfo|stream +xinfo|groups +xgroup|create +xreadgroup +xack +xdel
{{- end }}
{{- end -}}

{{/*
What the shared Redis templates take. Without digests: a new one is known only where its Secret is rendered.
*/}}
{{- define "serving.logRedis" -}}
{{- include "serving.acl" (dict "context" . "digests" (dict "metrics" "")) -}}
{{- end -}}
