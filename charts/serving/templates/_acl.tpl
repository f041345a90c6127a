{{/*
Users of the prediction log's Redis: servers of a namespace may add to its streams, its collect Job may take from them.
Takes (dict "context" $ "passwords" <by user>). Passwords stand there as digests.
*/}}
{{- define "serving.acl" -}}
user default off
user probe on nopass -@all +ping
user metrics on #{{ sha256sum .passwords.metrics }} resetchannels -@all ~* +ping +info +client|setname +config|get +slowlog|len +slowlog|get +latency|latest +xlen +xinfo|stream +xinfo|groups +type +scan +select +dbsize
{{- range .context.Values.global.models.namespaces }}
user writer-{{ . }} on #{{ sha256sum (get $.passwords (printf "writer-%s" .)) }} resetchannels -@all ~predictions.{{ . }}.* +ping +select +xadd +xtrim
user reader-{{ . }} on #{{ sha256sum (get $.passwords (printf "reader-%s" .)) }} resetchannels -@all ~predictions.{{ . }}.* +ping +select +client|setname +multi +exec +discard +xlen +xrange +xinfo|stream +xinfo|groups +xgroup|create +xreadgroup +xack +xdel
{{- end }}
{{- end -}}

{{/*
What the shared Redis templates take. Without passwords: a new one is known only where its Secret is rendered.
*/}}
{{- define "serving.logRedis" -}}
{{- $passwords := dict "metrics" "" }}
{{- range .Values.global.models.namespaces }}
{{- $_ := set $passwords (printf "writer-%s" .) "" }}
{{- $_ := set $passwords (printf "reader-%s" .) "" }}
{{- end }}
{{- include "serving.acl" (dict "context" . "passwords" $passwords) -}}
{{- end -}}
