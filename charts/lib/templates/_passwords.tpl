{{/*
The password that a Secret of this cluster already holds under a key, else a new random one.
Takes (dict "context" $ "namespace" ns "secret" name "key" key). Call it once for each password, in the one
template file that renders every copy of it: without a cluster to look at, each call gives another one.
*/}}
{{- define "serinus.password" -}}
{{- $existing := lookup "v1" "Secret" .namespace .secret -}}
{{- $held := get ($existing.data | default dict) .key -}}
{{- if $held -}}
{{- b64dec $held -}}
{{- else -}}
{{- randAlphaNum 32 -}}
{{- end -}}
{{- end -}}
