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

{{/*
A password as it stands in an address. Takes the password.
*/}}
{{- define "serinus.password.quoted" -}}
{{- urlquery . | replace "+" "%20" -}}
{{- end -}}

{{/*
What a user of a Redis' ACL file may log in with, as digests: the password, and the one that the Secret's key
`<key>-before` holds while passwords are changed. Takes (dict "password" text "namespace" ns "secret" name "key" key).
*/}}
{{- define "serinus.redis.digests" -}}
{{- $existing := lookup "v1" "Secret" .namespace .secret -}}
#{{ sha256sum .password }}
{{- with get ($existing.data | default dict) (printf "%s-before" .key) }} #{{ b64dec . | sha256sum }}{{ end -}}
{{- end -}}
