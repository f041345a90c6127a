{{- define "feast.redis" -}}
{{ include "serinus.fullname" (dict "context" . "part" "redis") }}
{{- end -}}

{{/*
What a container of the jobs image needs to run a verb against Feast. Takes (dict "context" $ "args" (list ...) "resources" map).
*/}}
{{- define "feast.jobContainer" -}}
- name: verb
  image: {{ include "serinus.ownImage" (dict "context" .context "name" "jobs") }}
  imagePullPolicy: {{ .context.Values.global.image.pullPolicy }}
  args: {{ toJson .args }}
  env:
    - { name: SERINUS_DATA, value: /data }
    - { name: HOME, value: /tmp }
  envFrom:
    - secretRef: { name: serinus-feast-registry }
    - secretRef: { name: serinus-online-store }
  resources:
    {{- toYaml .resources | nindent 4 }}
  securityContext:
    {{- include "serinus.containerSecurityContext" .context | nindent 4 }}
  volumeMounts:
    - { name: tmp, mountPath: /tmp }
    - { name: data, mountPath: /data }
    - { name: authorities, mountPath: /etc/serinus/ca, readOnly: true }
{{- end -}}

{{/*
An item of that pod's `volumes`: the authorities of PostgreSQL and Redis elsewhere, where there are any.
*/}}
{{- define "feast.authorities" -}}
- name: authorities
  configMap: { name: serinus-ca, optional: true }
{{- end -}}

{{/*
Redis' users. Takes a dict of digests by user (serinus.redis.digests). `default` is the writer, for clients
that know no user names; nobody may administer, list or flush. `metrics` is the exporter, `probe` the kubelet.
*/}}
{{- define "feast.acl" -}}
user default on {{ .writer }} ~* &* +@all -@admin -@dangerous +info
user reader on {{ .reader }} ~* resetchannels -@all +@read +@connection -@dangerous
user metrics on {{ .metrics }} resetchannels -@all +ping +info +client|setname +config|get +slowlog|len +latency|latest
user probe on nopass resetchannels -@all +ping
{{- end -}}

{{/*
The argument of serinus.redis.*: a new set of users restarts Redis, a new password by itself does not.
*/}}
{{- define "feast.rules" -}}
{{ include "feast.acl" (dict "writer" "" "reader" "" "metrics" "") }}
{{- end -}}

{{/*
Items of `egress` for who registers or loads features: DNS, Feast's registry and Redis, wherever they are. Takes $.
*/}}
{{- define "feast.egress" -}}
{{ include "serinus.networkPolicy.dns" . }}
- ports:
    - { protocol: TCP, port: {{ .Values.registry.port }} }
    - { protocol: TCP, port: {{ ternary 6379 (int .Values.redis.external.port) .Values.redis.enabled }} }
{{- end -}}
